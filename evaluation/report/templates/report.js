// A click on a heading sorts the table; a rung's branches stay below it (one tbody per rung).
for (const heading of document.querySelectorAll("th[data-sort]")) {
  heading.querySelector("button").addEventListener("click", () => {
    const table = heading.closest("table");
    const up = heading.getAttribute("aria-sort") === "descending";
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (body) => body.rows[0].cells[heading.cellIndex].dataset.value ?? "";
    const missingLast = (a, b) => (a === "") - (b === "");
    [...table.tBodies]
      .sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        return missingLast(x, y) || (up ? x - y : y - x);
      })
      .forEach((body) => table.append(body));
  });
}

// Open the details before printing.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll(".claim details")) details.open = true;
});

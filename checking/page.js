for (const timeline of document.querySelectorAll("[data-timeline]")) {
  const slider = timeline.querySelector("input");
  const output = timeline.querySelector("output");
  const cursor = timeline.querySelector(".cursor");
  const dots = [...timeline.querySelectorAll(".dot")];
  const rows = [...timeline.querySelectorAll("tbody tr")];
  const list = timeline.querySelector(".scroll");
  const svg = timeline.querySelector("svg");
  const show = (index) => {
    const row = rows[index];
    const [time, score, note] = [...row.cells].map((cell) => cell.textContent);
    const text = `${time}: score ${score}${note ? `, ${note}` : ""}`;
    const x = dots[index].dataset.x;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    rows.forEach((other) => other.classList.toggle("current", other === row));
    list.scrollTop = row.offsetTop - list.clientHeight / 2;
    slider.value = index;
    slider.setAttribute("aria-valuetext", text);
    output.textContent = text;
  };
  slider.addEventListener("input", () => show(Number(slider.value)));
  rows.forEach((row, index) => row.addEventListener("click", () => show(index)));
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const away = dots.map((dot) => Math.abs(dot.dataset.x - x));
    show(away.indexOf(Math.min(...away)));
  });
  const scores = rows.map((row) => Number(row.cells[1].textContent));
  show(scores.indexOf(Math.max(...scores)));
}

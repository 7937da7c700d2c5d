import shutil

import pytest

from evaluation.comparison.reproduction import read_reproduction
from evaluation.report.report import write_report
from tests.support.ladder_on_disk import DrawnCrops, frame_scores

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_path(three_seeds):
    return write_report(read_reproduction(three_seeds), DrawnCrops(frame_scores(1.0, 0))).html


@pytest.fixture
def opened(browser, page_path):
    """Open the page; afterwards check that nothing was logged or fetched."""
    messages, requests, pages = [], [], []

    def open_page(width, scheme, path=page_path):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_every_width_and_color_scheme(opened, width, scheme):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    pictures = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.alt])")
    assert len(pictures) == 7  # original, four forgeries, and two of Celeb-DF
    assert all(natural > 0 and alt for natural, alt in pictures)
    drawn = page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => "
        "[s.getBoundingClientRect().width, s.getBoundingClientRect().height, s.ariaLabel])"
    )
    assert len(drawn) == 6  # ROC, scores, spectra, two training curves, gradient cosine
    assert all(box[0] > 250 and box[1] > 100 and box[2] for box in drawn)
    ink, ground = page.evaluate(
        "['color', 'backgroundColor'].map(p => getComputedStyle(document.body)[p])"
    )
    brightness = [sum(map(int, c[4:-1].split(","))) for c in (ink, ground)]
    assert (brightness[0] > brightness[1]) == (scheme == "dark")
    axis_text = page.evaluate("getComputedStyle(document.querySelector('figure text')).fill")
    assert axis_text == ink


def test_the_first_screen_holds_the_summary_and_its_table(opened, tiny_report):
    """At a width of 1280 px it holds the claims as well."""
    for width, path in ((1280, None), (390, None), (1280, tiny_report / "report.html")):
        page = opened(width, "light", *([path] if path else []))
        bottom = "e => e.getBoundingClientRect().bottom"
        assert page.locator(".brief").evaluate(bottom) < 900
        if width == 1280:
            assert page.locator(".claims").evaluate(bottom) < 900
    rows = page.locator(".brief tbody").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["teacher", "student"]
    assert ["faster" in row for row in rows] == [False, True]


def test_table_sorts_on_click_and_keeps_branches_under_their_teacher(opened):
    page = opened(1280, "light")

    def column(index):
        return page.evaluate(
            "i => [...document.querySelector('.whole').tBodies]"
            ".map(b => Number(b.rows[0].cells[i].dataset.value))",
            index,
        )

    ladder = page.get_by_role("region", name="Table of the ladder")
    heading = ladder.get_by_role("button", name="Video AUC")
    heading.click()
    assert column(1) == sorted(column(1), reverse=True)
    heading.click()
    assert column(1) == sorted(column(1))
    assert column(0) != sorted(column(0))
    last = page.evaluate("[...document.querySelector('.whole').tBodies].at(-1).innerText")
    assert last.startswith("teacher")
    assert "frequency branch" in last


def test_table_sorts_from_the_keyboard(opened):
    page = opened(390, "light")
    page.get_by_role("button", name="Frame AUC").first.focus()
    page.keyboard.press("Enter")
    heading = page.locator("th[aria-sort]")
    assert heading.count() == 1
    assert heading.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert heading.get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_of_real_runs_shows_what_was_measured(opened, tiny_report, width, scheme):
    page = opened(width, scheme, tiny_report / "report.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    headings = page.locator("h2").all_inner_texts()
    assert headings[:3] == ["The ladder", "Across data sets", "Cost"]
    assert {"Robustness", "Evidence maps"} <= set(headings)
    pictures = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.alt])")
    assert all(natural > 0 and alt for natural, alt in pictures)
    examples = [natural for natural, alt in pictures if "Grad-CAM" in alt]
    assert len(examples) == 6  # the two reals appear once each
    assert set(examples) == {4 * 112}  # crop, two branches, student
    latency = page.get_by_role("region", name="Table of costs")
    latency.get_by_role("button", name="Latency, ms").first.click()
    assert latency.locator("th[aria-sort]").count() == 1
    assert latency.locator("tbody").first.inner_text().startswith("teacher")


def test_page_prints(opened):
    page = opened(1280, "dark")
    page.emulate_media(media="print")
    ground, ink = page.evaluate(
        "['backgroundColor', 'color'].map(p => getComputedStyle(document.body)[p])"
    )
    assert ground == "rgb(255, 255, 255)"
    assert sum(map(int, ink[4:-1].split(","))) < 200
    assert page.pdf(format="A4")[:4] == b"%PDF"

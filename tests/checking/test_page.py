"""The page of a check, in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checking.calibration import p_value
from checking.check import Checked, CheckedPerson
from checking.moments import Moment, MomentKeeper, data_uri
from checking.page import Facts, clock, render_page
from checking.ranks import share
from checking.verdict import Verdict, graded
from faces.tracks import Detection
from inference.video import ScoredFace, ScoredFrame

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
FACTS = Facts("student-seed0", "ab" * 32, "mini-FaceForensics++ c23", "every 0.5 s", 72, (0.2, 0.8))
NAME = 'a "clip" <of> somebody & a very long name without any place to break it.mp4'


def people() -> list[CheckedPerson]:
    """A forged person of twenty frames, and one without a comparable score."""
    known = np.arange(140)
    shares = [share(known < k, known.astype(str)) for k in (0, 140)]
    seconds = (0.25 + 0.5 * np.arange(20)).tolist()
    scores = np.linspace(0.2, 0.95, 20)
    face = ScoredFace(
        Detection(np.array([1.0, 2, 30, 40]), 0.99), 2.0, 0.9, np.ones((3, 3)), np.zeros(2)
    )
    crop = np.full((64, 64, 3), 128, dtype=np.uint8)
    keeper = MomentKeeper()
    keeper.add(ScoredFrame(3, 1.75, 20, crop, [face], [crop]))
    moment = keeper.find(face)
    assert isinstance(moment, Moment)
    forged = graded(*shares, p_value(0, 72))
    unclear = Verdict("no verdict", reason="the face is 12 px large")
    return [
        CheckedPerson(1, forged, seconds, scores.tolist(), 0.6, 120.0, [moment]),
        CheckedPerson(2, unclear, seconds[:2], [], None, 12.0, [moment]),
    ]


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = people()
    checked = Checked(
        Path(NAME), found[0].verdict, found, 1, False, 10.0, 20, 0, [5.25], ["cut off"]
    )
    path: Path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(render_page(checked, FACTS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_fits_and_fetches_nothing(
    browser: Any, page_path: Path, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").inner_text().endswith("Strong evidence of a forgery")
    assert page.locator(".file").inner_text() == NAME
    assert messages == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.close()


def test_the_timeline_works_with_the_keyboard(browser: Any, page_path: Path) -> None:
    page = browser.new_page()
    page.goto(page_path.as_uri())
    output = page.locator("output")
    assert output.inner_text() == "0:09.75: score 0.950"
    page.keyboard.press("Tab")
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    assert output.inner_text() == "0:05.25: score 0.595, after a cut"
    assert page.locator("input").get_attribute("aria-valuetext") == output.inner_text()
    assert page.locator("tr.current td").first.inner_text() == "0:05.25"
    page.locator("tbody tr").first.click()
    assert output.inner_text() == "0:00.25: score 0.200"
    page.close()


def test_a_person_without_a_comparable_score_shows_none(page_path: Path) -> None:
    first, second = page_path.read_text(encoding="utf-8").split("<h2>Person 2</h2>")
    person = people()[1].moments[0]
    assert data_uri(person.evidence) in first
    assert data_uri(person.evidence) not in second
    assert "score" not in second.split("</section>")[0].lower()


def test_times_are_written_as_clocks() -> None:
    assert [clock(s) for s in (0, 62.5, 59.999, 3 * 3600 + 1)] == [
        "0:00.00", "1:02.50", "1:00.00", "3:00:01.00",
    ]  # fmt: skip

"""The table of trained on x tested on, of runs trained on different data."""

import re
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from cli.main import main
from evaluation.comparison.reproduction import read_reproduction
from evaluation.comparison.run import read_run
from evaluation.comparison.transfer import transfer_table
from evaluation.metrics.slices import slice_results
from records.files import write_record
from tests.support.ladder_on_disk import frame_scores, write_run
from tests.support.runs import refused

FFPP, CELEB = "mini-FaceForensics++ c23/test", "mini-Celeb-DF-v2 release/test"
ON_CELEB = {"dataset": "mini-Celeb-DF-v2", "compression": "release"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds trained on FaceForensics++, and one on Celeb-DF."""
    root = tmp_path_factory.mktemp("runs")
    here = [write_run(root / "ffpp", "student", seed) for seed in (0, 1)]
    return [*here, write_run(root / "celeb", "student", 0, 2.5, protocol=ON_CELEB)]


def test_a_row_is_a_method_with_its_training_data(runs: list[Path]) -> None:
    table = transfer_table([read_run(folder) for folder in runs])
    assert table is not None
    assert table.tests == [FFPP, CELEB]
    assert [(row.trained, row.seeds) for row in table.rows] == [(FFPP, [0, 1]), (CELEB, [0])]
    aucs = [read_run(folder).figure("auc", CELEB) for folder in runs]
    first, second = (row.cells[CELEB] for row in table.rows)
    assert first.value == pytest.approx((aucs[0] + aucs[1]) / 2)
    assert second.value == aucs[2]
    assert first.interval[0] < first.value < first.interval[1]


def test_the_report_holds_the_table_and_the_ladder_of_the_first_data(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    main(["report", *map(str, runs), f"--out={out}"])
    assert "trained on x tested on" in capsys.readouterr().out
    text = (out / "report.md").read_text()
    table = text[text.index("## Across data sets") :].split("\n\n")[1].splitlines()
    assert [re.split(r" *\| *", row)[1] for row in table] == [
        "Trained on", "---", "mini-FaceForensics++ c23", "mini-Celeb-DF-v2",
    ]  # fmt: skip
    again = read_reproduction(out)
    assert [len(again.runs), len(again.elsewhere)] == [2, 1]
    assert (
        '<th scope="col" data-sort><button type="button">Trained on'
        in (out / "report.html").read_text()
    )


def test_the_report_holds_the_slices(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "student", scores=frame_scores(1.0, 0, identities=8, frames=2))
    run = read_run(folder)
    videos = run.scored(FFPP)
    sides = np.where(videos["video"].str[:3].astype(int) < 4, "left", "right|side")
    found = slice_results(videos.assign(side=sides), "side", 0.48)
    metrics = {
        **run.results.metrics,
        FFPP: replace(run.results.metrics[FFPP], slices={"side": found}),
    }
    write_record(run.files.results, replace(run.results, metrics=metrics))
    main(["report", str(folder), f"--out={tmp_path / 'report'}"])
    text = (tmp_path / "report" / "report.md").read_text()
    table = text[text.index("## Slices") :].split("\n\n")[1].splitlines()
    assert len({row.replace("\\|", "").count("|") for row in table}) == 1
    left = found.slices["left"]
    assert f"| side | left | {left.real} | {left.fake} | 4 | {left.fpr.value:.3f} (" in table[2]
    gap = found.gaps["fpr"]
    assert f"| {gap.difference:+.3f} | [" in text
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count('aria-label="Table of the slices"') == 1
    assert "right|side" in page
    tables = re.findall(r"<table.*?</table>", page, flags=re.DOTALL)
    assert len(tables) == 6
    for table in tables:  # a heading that sorts has a value in each cell of its column
        head, *bodies = table.split("<tbody>")
        headings = re.findall(r"<th [^>]*>", head.split("<tr")[-1])
        for body in bodies:
            cells = re.findall(r"<td[^>]*>", body.split("</tr>")[0])
            assert len(cells) == len(headings)
            assert all(
                "data-value" in cell or "data-sort" not in heading
                for heading, cell in zip(headings, cells, strict=True)
            )


def test_runs_that_were_measured_otherwise_are_refused(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wider = write_run(tmp_path, "student", 3, protocol={**ON_CELEB, "crop_scale": 2.0})
    argv = ["report", *runs, wider, f"--out={tmp_path / 'report'}"]
    assert "crop scale: 1.3" in refused(argv, capsys)
    fewer = write_run(
        tmp_path / "fewer", "student", 0, protocol=ON_CELEB,
        scores=frame_scores(1.0, 0, identities=5),
    )  # fmt: skip
    assert "expected the same videos" in refused([*argv[:3], fewer, argv[-1]], capsys)
    assert not (tmp_path / "report").exists()

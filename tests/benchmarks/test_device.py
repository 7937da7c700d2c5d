import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.device.parts import PACKAGES, PARTS

ROOT = Path(__file__).parents[2]


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--device=cpu", "--quick", *argv]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.long
@pytest.mark.slow
def test_a_part_that_fails_is_one_line_and_the_others_run(tmp_path: Path) -> None:
    # The recipe takes minutes on one core (make bench-device QUICK=1): without its teacher, a
    # student fails.
    done = run(f"--out={tmp_path / 'cpu.json'}", "--parts", "32-true", "loading", "extraction")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "cpu.json").read_text())
    assert written["quick"]
    assert "measure nothing" in written["note"]
    assert written["machine"]["device"] == "CPU"
    assert written["missing_packages"] == []
    parts = written["parts"]
    assert [name for name, part in parts.items() if "error" in part] == ["32-true"]
    assert "needs the part teacher" in parts["32-true"]["error"]
    assert "\n" not in parts["32-true"]["error"]
    assert parts["extraction"]["figures"]["256x256"]["frames_with_a_face"] == 1
    assert done.stdout.endswith("2 of 3 parts complete\n")


@pytest.mark.long
@pytest.mark.slow
def test_the_teacher_of_the_recipe_is_stopped_and_resumed(tmp_path: Path) -> None:
    done = run(f"--out={tmp_path / 'cpu.json'}", "--parts", "teacher")
    part = json.loads((tmp_path / "cpu.json").read_text())["parts"]["teacher"]
    assert "error" not in part, part
    teacher = part["figures"]["teacher"]
    assert teacher["steps"] == 3
    assert teacher["finite"]
    assert done.returncode == 0


def test_every_part_has_its_line_when_there_is_no_time(tmp_path: Path) -> None:
    done = run(f"--out={tmp_path / 'cpu.json'}", "--minutes=0")
    assert done.returncode == 1
    parts = json.loads((tmp_path / "cpu.json").read_text())["parts"]
    assert list(parts) == [part.name for part in PARTS if "cpu" in part.devices]
    assert {part["error"] for part in parts.values()} == {"no time left"}


def test_the_wheels_of_the_documentation_are_those_looked_for() -> None:
    text = (ROOT / "docs" / "scale.md").read_text()
    listed = re.search(r"```\n(albucore==.*?)```", text, re.DOTALL)
    assert listed
    assert {line.split("==")[0] for line in listed[1].split()} == set(PACKAGES)
    pinned = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    assert set(listed[1].split()) <= set(pinned)

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS, main
from tests.support.processes import TWO_IN_ONE
from tests.support.runs import refused

HEAVY = {"torch", "lightning", "cv2", "av", "pandas", "matplotlib", "jsonargparse", "omegaconf"}


def run_script(script: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.parametrize("argv", [[], ["--help"], ["reprodcue"]])
def test_the_overview_imports_nothing_heavy(argv: list[str]) -> None:
    done = run_script(
        f"import sys\nfrom cli.main import main\ntry: main({argv!r})\nexcept SystemExit: pass\n"
        f"heavy = {HEAVY!r} & set(sys.modules)\nsys.exit(f'imported {{heavy}}' if heavy else 0)"
    )
    assert done.returncode == 0, done.stderr
    assert "usage: two-in-one" in done.stdout or "did you mean reproduce" in done.stderr


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert all(f"{name} {command.summary}" in lines for name, command in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"usage: two-in-one {name}" in capsys.readouterr().out.replace("[options] ", "")


def test_one_module_is_imported_per_command() -> None:
    done = run_script(
        "import sys\nfrom cli.main import main\ntry: main(['doctor', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('cli.')), file=sys.stderr)"
    )
    assert done.stderr.strip() == (
        "['cli.doctor', 'cli.main', 'cli.parsing', 'cli.parsing.command_parser']"
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["extrakt"], "command 'extrakt' does not exist: did you mean extract or export?"),
        (["mini-ffpp", "--out=x", "--trian=4"], "trian"),
        (["crops", "shwo"], "shwo"),
        (["reproduce", "--seeds", "a"], "seeds"),
        (["reproduce", "--methods", "niave"], "niave"),
        (["reproduce", "--setting", "huge"], "mini"),
        (["report", "nowhere"], "nowhere"),
        (["reproduce", "--ffpp_root=nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line(
    argv: list[str], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(argv, capfd)


@pytest.mark.slow
def test_modules_of_the_working_folder_come_last(tmp_path: Path) -> None:
    """A user's own training.py is not the project's; a module of another name can be imported."""
    for name in ("training", "records", "inference", "errors"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user\\'s own file')")
    (tmp_path / "my_projector.py").write_text("print('imported my_projector')")
    argv = ["fit", "--data.crops=x", "--model=DistillModule", "--model.init_args.student={}"]
    argv.append("--model.init_args.projector=my_projector.Wide")
    done = subprocess.run(
        [TWO_IN_ONE, *argv], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert "the user's own file" not in done.stderr
    assert "imported my_projector" in done.stdout
    assert "Wide" in done.stderr


def test_a_module_run_by_python_takes_no_module_of_the_working_folder(tmp_path: Path) -> None:
    """`python -m cli`, as torchrun starts it, puts the working folder first on the path."""
    for name in ("errors", "training", "records"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user\\'s own file')")
    argv = [sys.executable, "-m", "cli", "extrakt"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean extract" in done.stderr


@pytest.mark.slow
def test_one_batch_is_not_all_of_them() -> None:
    """Whatever was imported before: typing caches unions by their members, not their order."""
    argv = [
        "fit", "--print_config", "--trainer.limit_train_batches=1", "--model=TeacherModule",
        "--data.crops=crops",
    ]  # fmt: skip
    done = run_script(f"import sklearn.metrics\nfrom cli.main import main\nmain({argv})")
    assert "limit_train_batches: 1\n" in done.stdout, done.stderr


def test_every_module_of_the_table_can_be_imported() -> None:
    assert all(importlib.import_module(command.module) for command in COMMANDS.values())

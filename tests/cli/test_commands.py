import subprocess
import sys

import pytest

from cli.main import COMMANDS, TRAINER_COMMANDS, main
from tests.support.runs import refused


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_is_light(command: list[str]) -> None:
    """Help must not wait for torch: what is heavy is imported where it is used."""
    script = (
        "import sys\nfrom cli.main import main\n"
        f"try: main({[*command, '--help']!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'lightning', 'cv2', 'av', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage: two-in-one" in done.stdout


def test_the_overview_names_every_command(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in (*COMMANDS, *TRAINER_COMMANDS))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["extrakt"], "extrakt"),
        (["mini-ffpp", "--out=x", "--trian=4"], "trian"),
        (["reproduce", "--seeds", "a"], "seeds"),
        (["reproduce", "--methods", "niave"], "niave"),
        (["reproduce", "--setting", "huge"], "mini"),
        (["report", "nowhere"], "nowhere"),
        (["reproduce", "--ffpp_root=nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: list[str], expected: str, capfd) -> None:
    assert expected in refused(words, capfd)


def test_one_batch_is_not_all_of_them() -> None:
    """Whatever was imported before: typing caches unions by their members, not their order."""
    words = [
        "fit", "--print_config", "--trainer.limit_train_batches=1", "--model=TeacherModule",
        "--data.crops=crops",
    ]  # fmt: skip
    script = f"import sklearn.metrics\nfrom cli.main import main\nmain({words})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "limit_train_batches: 1\n" in done.stdout, done.stderr

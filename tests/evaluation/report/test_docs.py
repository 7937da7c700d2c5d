"""The tests that the documentation names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_each_of_the_eleven_mistakes_names_tests_that_exist():
    docs = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+)\. .* \| (.*) \|$", docs, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 12))
    for number, cell in rows:
        sources = "".join((ROOT / path).read_text() for path in re.findall(r"`(tests/.*?)`", cell))
        names = re.findall(r"`(test_\w+)`", cell)
        assert names or number == "3"  # it refers to the row above
        assert [name for name in names if f"def {name}(" not in sources] == []

import json
from pathlib import Path

import pytest

from benchmarks.growth import estimate, markdown, slope

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "growth" / "cpu.json"


@pytest.mark.parametrize(("power", "factor"), [(0, 2), (1, 3), (2.5, 0.1)])
def test_the_slope_is_the_exponent_of_a_power_law(power: float, factor: float) -> None:
    sizes = [10, 20, 80]
    assert slope(sizes, [factor * size**power for size in sizes]) == pytest.approx(power)


def test_the_committed_estimate_and_tables_follow_from_the_committed_measurements() -> None:
    result = json.loads(RESULT.read_text())
    assert estimate(result["stages"]) == pytest.approx(result["estimate"])
    assert markdown(result) == RESULT.with_suffix(".md").read_text()
    assert all(len(stage["sizes"]) >= 3 for stage in result["stages"])

import numpy as np
import pytest

from checking.calibration import PValue, p_value
from checking.cuts import CutFinder
from checking.ranks import share
from checking.sampling import Sampling
from checking.verdict import NO_VERDICT, graded
from errors import InputError


@pytest.mark.parametrize(
    ("real", "fake", "own", "expected"),
    [
        ((0, 600), (600, 600), None, "very strong evidence of a forgery"),
        ((0, 140), (140, 560), None, "strong evidence of a forgery"),
        ((5, 140), (140, 560), None, "moderate evidence of a forgery"),
        ((20, 140), (280, 560), None, "weak evidence of a forgery"),
        ((140, 140), (0, 560), None, "very strong evidence against the known kinds of forgery"),
        ((0, 140), (140, 560), p_value(3, 72), "weak evidence of a forgery"),
        ((30, 140), (500, 560), p_value(0, 400), "very strong evidence of a forgery"),
    ],
)
def test_grades_follow_from_the_ranks(
    real: tuple[int, int], fake: tuple[int, int], own: PValue | None, expected: str
) -> None:
    shares = [share(np.arange(n) < k, np.arange(n).astype(str)) for k, n in (real, fake)]
    verdict = graded(*shares, own)
    assert verdict.line == expected
    assert len(verdict.explanation) == (3 if own else 2)


@pytest.mark.parametrize(
    ("real", "fake", "reason"),
    [
        ((70, 140), (280, 560), "real videos and forgeries both score like this"),
        ((3, 140), (13, 560), "neither real videos nor known forgeries usually score like this"),
    ],
)
def test_a_score_that_says_nothing_has_no_verdict(
    real: tuple[int, int], fake: tuple[int, int], reason: str
) -> None:
    shares = [share(np.arange(n) < k, np.arange(n).astype(str)) for k, n in (real, fake)]
    verdict = graded(*shares, None)
    assert (verdict.grade, verdict.is_forged, verdict.reason) == (NO_VERDICT, None, reason)


def test_cuts_are_found_and_motion_is_not_one() -> None:
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 60, (12, 16, 3)).repeat(10, 0).repeat(10, 1)
    scenes = [grain + np.array(tint) for tint in ([20, 40, 90], [140, 110, 60])]
    finder = CutFinder()
    for number in range(10):
        scene = np.roll(scenes[number // 5], 3 * number, axis=1)
        image = np.clip(scene * (1 - 0.01 * number), 0, 255)
        finder.add(number / 2, image.astype(np.uint8))
    assert finder.cuts == [2.5]


def test_frames_are_chosen_in_time() -> None:
    """Ten seconds: 100 frames in the first second, and one in each of the others."""
    seconds = np.concatenate([np.arange(0, 1, 0.01), np.arange(1.0, 11)])
    chosen = Sampling(every=1, max_frames=60).choose(seconds)
    np.testing.assert_allclose(seconds[chosen], [0.5, *range(1, 10)])
    assert len(Sampling(every=0.001, max_frames=7).choose(seconds)) == 7
    assert Sampling().choose(np.zeros(1)).tolist() == [0]
    with pytest.raises(InputError, match="every is 0"):
        Sampling(every=0)

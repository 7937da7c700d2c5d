import numpy as np
import pytest

from faces.tracks import Detection, find_tracks, most_covered


def face(x: float, y: float, side: float, probability: float = 0.99) -> Detection:
    return Detection(np.array([x, y, x + side, y + side]), probability)


def in_order(detections: list[list[Detection]]) -> dict[int, list[Detection]]:
    return dict(enumerate(detections))


def test_the_main_person_is_tracked_over_the_video() -> None:
    person = [face(100 + 5 * step, 60, 50) for step in range(6)]
    detections = [[one] for one in person]
    detections[2].insert(0, face(0, 0, 120, 0.75))  # a larger false positive in the background
    detections[4] = [face(300, 200, 90, 0.8)]  # instead of the person
    tracks = find_tracks(in_order(detections))
    assert len(tracks) == 1
    assert list(tracks[0].faces) == [0, 1, 2, 3, 5]
    assert all(tracks[0].faces[index] is person[index] for index in tracks[0].faces)


def test_the_larger_of_two_people_is_the_first_track() -> None:
    near = [face(40 + 10 * step, 50, 80) for step in range(5)]
    far = [face(200 - 10 * step, 50, 45) for step in range(5)]
    pairs = [[small, large] for small, large in zip(far, near, strict=True)]
    first, second = find_tracks(in_order(pairs))
    assert list(first.faces.values()) == near
    assert list(second.faces.values()) == far


def test_a_person_who_moves_far_is_tracked() -> None:
    """Selected frames of a long video are far apart."""
    jumping = [face(100, 60, 50), face(105, 60, 50), face(400, 90, 60), face(90, 60, 55)]
    (track,) = find_tracks(in_order([[one] for one in jumping]))
    assert list(track.faces.values()) == jumping


@pytest.mark.parametrize("other", [face(400, 90, 60, 0.93), face(400, 90, 130)])
def test_an_improbable_or_differently_sized_face_is_another_track(other: Detection) -> None:
    person, after = face(100, 60, 50), face(103, 60, 50)
    first, *_ = find_tracks(in_order([[person], [face(101, 60, 50)], [other], [after]]))
    assert other not in first.faces.values() or after not in first.faces.values()


def test_improbable_tracks_are_discarded() -> None:
    assert find_tracks(in_order([[face(10, 10, 60, 0.8)], [face(12, 10, 60, 0.85)], []])) == []
    assert find_tracks({}) == []


def test_the_manipulated_face_is_the_one_under_the_masks() -> None:
    tracks = find_tracks(in_order([[face(0, 0, 60), face(100, 0, 40)]] * 3))
    left, right = np.zeros((2, 80, 200), dtype=bool)
    left[:40, :30], right[10:30, 110:130] = True, True
    assert most_covered(tracks, {0: left, 1: left, 2: left}) == 0
    assert most_covered(tracks, {1: right}) == 1
    assert most_covered(tracks, {}) == most_covered(tracks, {0: np.zeros_like(left)}) == 0

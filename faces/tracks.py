from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# How far a face may move between two frames, in units of its side.
_REACH = 0.75
# A person reaches this probability in some frame; a false positive seldom does.
_MIN_PROBABILITY = 0.9
# Required of a track that continues the main person's elsewhere in the frame.
_MIN_PROBABILITY_ELSEWHERE = 0.95


@dataclass(frozen=True, eq=False)
class Detection:
    """A face in a frame, with its box `[4]` x0, y0, x1, y1 in pixels; compared by identity."""

    box: NDArray[np.float64]
    probability: float

    @property
    def side(self) -> float:
        """Mean side of the box, in pixels."""
        return float((self.box[2:] - self.box[:2]).mean())

    @property
    def centre(self) -> NDArray[np.float64]:
        """`[2]` x, y in pixels."""
        return (self.box[:2] + self.box[2:]) / 2


@dataclass
class Track:
    """One person over a video: by frame number, the detection of the face."""

    faces: dict[int, Detection] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """Sum of probability times side over the frames."""
        return sum(face.probability * face.side for face in self.faces.values())

    @property
    def probability(self) -> float:
        """Highest probability over the frames."""
        return max(face.probability for face in self.faces.values())

    @property
    def side(self) -> float:
        """Median side of the face, in pixels."""
        return float(np.median([face.side for face in self.faces.values()]))

    def distance(self, face: Detection) -> float:
        """Return the distance of a face from the track's last, in units of their side.

        It is infinite if the sides differ by more than a factor of two.
        """
        last = self.faces[max(self.faces)]
        if not 0.5 <= face.side / last.side <= 2:
            return np.inf
        return float(np.linalg.norm(face.centre - last.centre)) / ((face.side + last.side) / 2)


def find_tracks(detections: Mapping[int, Sequence[Detection]]) -> list[Track]:
    """Track each person through the frames, in ascending order; return the main person first.

    The largest box of a frame is sometimes a false positive in the background, which does not
    recur over the video. So the main person is the track with the largest weight. Frames without it
    are filled with later tracks of a similar size and a high probability, however far the face
    moved. Tracks whose probability is never high are discarded.
    """
    tracks: list[Track] = []
    for number, faces in detections.items():
        free = list(tracks)
        for face in sorted(faces, key=lambda face: -face.probability * face.side):
            nearest = min(free, key=lambda track: track.distance(face), default=None)
            if nearest is not None and nearest.distance(face) <= _REACH:
                nearest.faces[number] = face
                free.remove(nearest)
            else:
                tracks.append(Track({number: face}))
    tracks = [track for track in tracks if track.probability >= _MIN_PROBABILITY]
    tracks.sort(key=lambda track: -track.weight)
    if not tracks:
        return []
    person, others = tracks[0], []
    for track in tracks[1:]:
        if _continues(person, track):
            person.faces = dict(sorted({**person.faces, **track.faces}.items()))
        else:
            others.append(track)
    return [person, *others]


def _continues(person: Track, track: Track) -> bool:
    is_disjoint = not person.faces.keys() & track.faces.keys()
    is_probable = track.probability >= _MIN_PROBABILITY_ELSEWHERE
    return is_disjoint and is_probable and 0.5 <= track.side / person.side <= 2


def most_covered(tracks: Sequence[Track], masks: Mapping[int, NDArray[np.bool_]]) -> int:
    """Return the index of the track whose boxes masks `[H, W]` cover most; 0 if they cover none."""
    covered = [
        sum(_mean_within(masks[n], face.box) for n, face in track.faces.items() if n in masks)
        for track in tracks
    ]
    return int(np.argmax(covered))


def _mean_within(mask: NDArray[np.bool_], box: NDArray[np.float64]) -> float:
    left, top, right, bottom = np.maximum(box, 0).round().astype(int)
    inside = mask[top:bottom, left:right]
    return float(inside.mean()) if inside.size else 0.0

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# How far a face may move from one frame to the next, in its own sides.
_REACH = 0.75
# A person is seen this surely somewhere in a video; what only looks like a face seldom is.
_SURE = 0.9
_SURE_ELSEWHERE = 0.95


@dataclass(frozen=True, eq=False)
class Detection:
    """A face in a frame; two are equal when they are the same.

    Attributes:
        box: `[4]` x0, y0, x1, y1 in pixels.
        probability: The detector's.
    """

    box: NDArray[np.float64]
    probability: float

    @property
    def side(self) -> float:
        """Mean side of the box, pixels."""
        return float((self.box[2:] - self.box[:2]).mean())

    @property
    def centre(self) -> NDArray[np.float64]:
        """`[2]` x, y in pixels."""
        return (self.box[:2] + self.box[2:]) / 2


@dataclass
class Track:
    """One person over a video: by frame number, where the face is."""

    faces: dict[int, Detection] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """Sum of probability times size over the frames."""
        return sum(face.probability * face.side for face in self.faces.values())

    @property
    def probability(self) -> float:
        """The detector's at its surest."""
        return max(face.probability for face in self.faces.values())

    @property
    def side(self) -> float:
        """Median side of the face, pixels."""
        return float(np.median([face.side for face in self.faces.values()]))

    def distance(self, face: Detection) -> float:
        """How far off a face lies from where the track was last seen, in sides of the face.

        Infinite where the sizes differ by more than a factor of two.
        """
        last = self.faces[max(self.faces)]
        if not 0.5 <= face.side / last.side <= 2:
            return np.inf
        shift = float(np.linalg.norm(face.centre - last.centre))
        return shift / ((face.side + last.side) / 2)


def find_tracks(detections: Mapping[int, Sequence[Detection]]) -> list[Track]:
    """Follow each person through a video.

    A frame's largest box is now and then a false positive in the background; one that stays over
    the video is not. So the first track is the video's person: the one with the greatest sum of
    probability times size. Where it is not seen, what is surely a face of its size is taken for
    it, however far it moved. Tracks of which the detector is never sure are no persons.

    Args:
        detections: By frame number, ascending, the frame's faces.

    Returns:
        The tracks, the heaviest first.
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
    tracks = [track for track in tracks if track.probability >= _SURE]
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
    is_elsewhere = not person.faces.keys() & track.faces.keys()
    is_sure = track.probability >= _SURE_ELSEWHERE
    return is_elsewhere and is_sure and 0.5 <= track.side / person.side <= 2


def most_covered(tracks: Sequence[Track], masks: Mapping[int, NDArray[np.bool_]]) -> int:
    """Find the person whose face was manipulated.

    Args:
        tracks: At least one.
        masks: By frame number `[H, W]`, which pixels were.

    Returns:
        The index of the track whose boxes the masks cover most; 0 where they cover none.
    """
    covered = [
        sum(_mean_within(masks[number], face.box) for number, face in track.faces.items())
        for track in (Track({n: f for n, f in one.faces.items() if n in masks}) for one in tracks)
    ]
    return int(np.argmax(covered))


def _mean_within(mask: NDArray[np.bool_], box: NDArray[np.float64]) -> float:
    left, top, right, bottom = np.maximum(box, 0).round().astype(int)
    inside = mask[top:bottom, left:right]
    return float(inside.mean()) if inside.size else 0.0

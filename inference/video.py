"""The faces of a video with their scores, frame by frame, in constant memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from faces.media import Media
from faces.tracks import Detection, Track, find_tracks
from faces.video_faces import VideoFaces
from inference.aggregation import aggregate, keeps_evenly
from inference.crop_scorer import CropScorer
from inference.quality import measure

Floats = NDArray[np.float64]

# As many as extraction searches together, so that the same faces are found: 200 MB in full HD.
# Where every frame is searched for every person, the number hardly matters.
_FRAMES_PER_PART = {"main person": 32, "all people": 8}
_FULL_HD = 1920 * 1088


@dataclass(frozen=True, eq=False)
class ScoredFace:
    """A face in a frame.

    Attributes:
        detection: Box in pixels, and probability of being a face.
        logit: Of being fake.
        probability: Of being fake.
        evidence: `[h, w]`, positive where a region of the crop looks forged.
        quality: `[measures]` of the crop, see `inference.quality`.
    """

    detection: Detection
    logit: float
    probability: float
    evidence: NDArray[np.float32]
    quality: Floats


@dataclass(frozen=True, eq=False)
class ScoredFrame:
    """A frame that was examined.

    Attributes:
        number: Its number in the video, from 0.
        seconds: Its presentation time.
        total: Number of frames that are examined in this video.
        image: `[H, W, 3]` RGB, upright.
        faces: Every face, those of no person too.
        crops: Their crops `[size, size, 3]` RGB.
    """

    number: int
    seconds: float
    total: int
    image: NDArray[np.uint8]
    faces: list[ScoredFace]
    crops: list[NDArray[np.uint8]]


Observe = Callable[[ScoredFrame], None]


@dataclass(frozen=True, eq=False)
class Person:
    """One person's faces over a video, in the order of time.

    Attributes:
        numbers: `[n]`, the frames.
        seconds: `[n]`, their presentation times.
        faces: `[n]`.
        score: The faces' probabilities, aggregated as the card states.
    """

    numbers: list[int]
    seconds: list[float]
    faces: list[ScoredFace]
    score: float

    @property
    def boxes(self) -> Floats:
        """`[n, 4]`, x0, y0, x1, y1 in pixels."""
        return np.array([face.detection.box for face in self.faces])

    @property
    def logits(self) -> Floats:
        """`[n]`, of being fake."""
        return np.array([face.logit for face in self.faces])

    @property
    def probabilities(self) -> Floats:
        """`[n]`, of being fake."""
        return np.array([face.probability for face in self.faces])

    @property
    def evidence(self) -> NDArray[np.float32]:
        """`[n, h, w]`, see `ScoredFace`."""
        return np.array([face.evidence for face in self.faces])

    @property
    def quality(self) -> Floats:
        """`[n, measures]`, see `ScoredFace`."""
        return np.array([face.quality for face in self.faces])


@dataclass(frozen=True, eq=False)
class VideoScores:
    """What a detector found in a video.

    Attributes:
        people: The main person first; none if no face was found.
        numbers: The frames that were examined.
        without_face: Numbers of those without a person's face.
        undecoded: Numbers of chosen frames that could not be decoded.
    """

    people: list[Person]
    numbers: list[int]
    without_face: list[int]
    undecoded: list[int]


def score_video(
    media: Media,
    chosen: NDArray[np.int64],
    faces: VideoFaces,
    scorer: CropScorer,
    aggregation: str,
    observe: Observe | None = None,
) -> VideoScores:
    """Score the faces of a video's chosen frames as they are decoded.

    Raises:
        UnreadableVideoError: See `Media.frames`.
    """
    seconds = media.index.seconds
    scored: dict[Detection, ScoredFace] = {}
    for part in _parts(media.frames(chosen), faces.all_faces):
        faces.add(part)
        crops = {face: faces.crops.pop(face) for n in part for face in faces.detections[n]}
        found = _score(crops, scorer)
        scored |= found
        for number, image in part.items():
            detected = faces.detections[number]
            scores = [found[face] for face in detected]
            pictures = [crops[face] for face in detected]
            time = float(seconds[number])
            if observe is not None:
                observe(ScoredFrame(number, time, len(chosen), image, scores, pictures))
        # Before the next part is decoded.
        part.clear()
    tracks = find_tracks(faces.detections)
    seen = {number for track in tracks for number in track.faces}
    numbers = list(faces.detections)
    return VideoScores(
        people=[_person(track, scored, seconds, aggregation) for track in tracks],
        numbers=numbers,
        without_face=[number for number in numbers if number not in seen],
        undecoded=[number for number in chosen.tolist() if number not in faces.detections],
    )


def _parts(
    frames: Iterator[tuple[int, NDArray[np.uint8]]], all_faces: bool
) -> Iterator[dict[int, NDArray[np.uint8]]]:
    """Group frames, in smaller groups where they are larger than full HD."""
    most = _FRAMES_PER_PART["all people" if all_faces else "main person"]
    while first := dict(islice(frames, 1)):
        (image,) = first.values()
        count = min(most, max(1, most * _FULL_HD // image[..., 0].size))
        yield first | dict(islice(frames, count - 1))
        del first, image


def _score(
    crops: dict[Detection, NDArray[np.uint8]], scorer: CropScorer
) -> dict[Detection, ScoredFace]:
    if not crops:
        return {}
    scores = scorer.score(np.stack(list(crops.values())))
    outputs = zip(crops, scores.logits, scores.probabilities, scores.evidence, strict=True)
    return {
        face: ScoredFace(face, float(logit), float(probability), evidence, measure(crops[face]))
        for face, logit, probability, evidence in outputs
    }


def _person(
    track: Track, scored: dict[Detection, ScoredFace], seconds: Floats, aggregation: str
) -> Person:
    numbers = list(track.faces)
    faces = [scored[face] for face in track.faces.values()]
    score = aggregate(aggregation, [face.probability for face in faces])
    return Person(numbers, seconds[numbers].tolist(), faces, score)


def keep_evenly(person: Person, most: int, aggregation: str) -> Person:
    """Return at most `most` of a person's faces, those that `FaceForensicsDataModule` keeps."""
    count = len(person.faces)
    of = np.flatnonzero(keeps_evenly(np.arange(count), count, most)).tolist()
    faces = [person.faces[i] for i in of]
    score = aggregate(aggregation, [face.probability for face in faces])
    return Person([person.numbers[i] for i in of], [person.seconds[i] for i in of], faces, score)

"""A detector's package on videos and crops, without torch."""

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from faces.cascade import FaceCascade
from faces.containers import UnreadableVideoError
from faces.frame_index import evenly_spaced
from faces.media import Media, open_media
from faces.onnx_networks import OnnxFaceNetworks
from faces.video_faces import VideoFaces
from inference.card import EXPECTED, REMEDY, Card, read_card
from inference.crop_scorer import CropScorer, CropScores
from inference.video import Observe, Person, VideoScores, keep_evenly, score_video

NETWORK, NETWORK_INT8, FACES = "detector.onnx", "detector.int8.onnx", "faces"


class NoFaceError(InputError):
    """A video in which no face was found; it has no score."""


class Detector:
    """A package on this machine's processor.

    Args:
        folder: The package.
        card: Its card, see `read_card`.
        threads: Threads of each network. Default: one per core that this process may use.
        network: Name of the detector's file, that in float or that in 8 bits.

    Raises:
        InputError: A network is missing or damaged.
    """

    def __init__(
        self, folder: Path, card: Card, threads: int | None = None, network: str = NETWORK
    ) -> None:
        self.folder, self.card = folder, card
        self._scorer = CropScorer(folder / network, card.network.image_size, threads)
        self._cascade = FaceCascade(OnnxFaceNetworks(folder / FACES, threads))

    @classmethod
    def open(cls, folder: Path, threads: int | None = None, *, int8: bool = False) -> Self:
        """Open a package whose files are all whole, with the network in float or in 8 bits.

        Raises:
            InputError: It is no package, one of another version, or a file is missing or altered;
                the message names it. Or it has no network in 8 bits.
        """
        card = read_card(folder)
        check_files(folder, card)
        if int8 and not card.int8.written:
            msg = f"{folder / NETWORK_INT8}: {card.int8.reason}: use the network in float"
            raise InputError(msg)
        return cls(folder, card, threads, NETWORK_INT8 if int8 else NETWORK)

    def score(self, path: Path) -> float:
        """Return the score of a video exactly as `two-in-one test` computes it.

        The frames, the person and the aggregation are those of the test, whatever the video's
        domain and quality.

        Raises:
            NoFaceError: No face was found.
            InputError: The file is missing or cannot be decoded.
        """
        return self.test_person(path).score

    def test_person(self, path: Path, observe: Observe | None = None) -> Person:
        """Return the person and the frames that a video's score is computed from; see `score`.

        `observe` is called with each frame that is examined.
        """
        frames = self.card.frames
        try:
            with open_media(path) as media:
                chosen = evenly_spaced(media.index.length, frames.per_video or media.index.length)
                found = self.video_scores(
                    media, chosen, observe, all_faces=self.card.crops.all_faces
                )
        except UnreadableVideoError as error:
            msg = f"{path}: {error}, expected a video or an image: check the path and the file"
            raise InputError(msg) from error
        if not found.people:
            msg = f"{path}: no face found in {len(found.numbers)} frames, so it has no score"
            raise NoFaceError(msg)
        person = found.people[0]
        if frames.scored is None:
            return person
        return keep_evenly(person, frames.scored, self.card.aggregation)

    def video_scores(
        self,
        media: Media,
        chosen: NDArray[np.int64],
        observe: Observe | None = None,
        *,
        all_faces: bool = True,
    ) -> VideoScores:
        """Score every person of a video, in memory that does not depend on its length.

        Args:
            media: An opened video or image.
            chosen: Numbers of the frames to examine, in ascending order.
            observe: Called with each of these frames in order.
            all_faces: Search every frame for every person, see `VideoFaces`.

        Raises:
            UnreadableVideoError: No frame can be decoded.
        """
        rule, aggregation = self.card.crops, self.card.aggregation
        faces = VideoFaces(self._cascade, rule.size, rule.scale, rule.min_face, all_faces)
        found = score_video(media, chosen, faces, self._scorer, aggregation, observe)
        if not found.numbers:
            msg = "no frame can be decoded"
            raise UnreadableVideoError(msg)
        return found

    def score_crops(self, crops: NDArray[np.uint8]) -> CropScores:
        """Score at least one crop, `[n, S, S, 3]` RGB."""
        return self._scorer.score(crops)


def check_files(folder: Path, card: Card) -> None:
    """Check that every file of a package exists and is unchanged.

    Raises:
        InputError: One is not; the message names it.
    """
    for name, expected in card.files.items():
        path = folder / name
        if not path.is_file():
            msg = f"{path}: no such file, expected a file of {EXPECTED}: {REMEDY}"
            raise InputError(msg)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            msg = f"{path}: {error.strerror}, expected a file of {EXPECTED}: check its rights"
            raise InputError(msg) from error
        if found != expected:
            msg = f"{path}: damaged or altered, its SHA-256 is not card.json's: {REMEDY}"
            raise InputError(msg)

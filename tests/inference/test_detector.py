"""A package on videos: the same faces, crops and scores as extraction and test."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from datamodules.crops.store import CropStore
from errors import InputError
from evaluation.metrics.aggregation import video_scores
from faces.media import open_media
from inference.detector import Detector, NoFaceError
from inference.video import ScoredFrame
from records.scores import VIDEO_KEY, read_scores
from tests.support.packages import change_card

WriteVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def detector(package: Path) -> Detector:
    return Detector.open(package, threads=1)


def video_of(tree: Path, row: pd.Series) -> Path:
    source = "original_sequences/youtube" if row["method"] == "original" else None
    folder = source or f"manipulated_sequences/{row['method']}"
    return tree / folder / row["compression"] / "videos" / f"{row['video']}.mp4"


@pytest.fixture(scope="module")
def tested(tiny_student: Path) -> pd.DataFrame:
    """The video scores of the student's own test on the miniature of FaceForensics++."""
    scores = video_scores(read_scores(tiny_student / "scores.csv"))
    return scores[scores["dataset"] == "mini-FaceForensics++"]


def test_scores_boxes_and_crops_are_those_of_extraction_and_test(
    detector: Detector, tested: pd.DataFrame, tiny_ffpp: Path, tiny_crops: Path
) -> None:
    store = CropStore(tiny_crops)
    same = []
    for _, row in tested.iloc[::3].iterrows():
        seen: list[ScoredFrame] = []
        person = detector.test_person(video_of(tiny_ffpp, row), seen.append)
        crops = {frame.number: frame.crops[0] for frame in seen}
        assert person.score == pytest.approx(row["score"], abs=1e-3)
        of_video = (store.manifest[VIDEO_KEY].astype(str) == row[VIDEO_KEY]).all(axis=1)
        rows = store.manifest[of_video]
        assert person.numbers == rows["frame"].tolist()
        expected = rows[["x0", "y0", "x1", "y1"]].to_numpy()
        np.testing.assert_allclose(person.boxes, expected, atol=0.02)
        same += [np.array_equal(crops[rows["frame"][i]], store.crop(i)) for i in rows.index]
    assert len(same) >= 6
    assert np.mean(same) >= 0.99


def test_the_examples_of_the_docs_run(
    detector: Detector, package: Path, tiny_ffpp: Path, capsys, monkeypatch
) -> None:
    """The first computes the runtime's probability of a face."""
    video = sorted(tiny_ffpp.glob("original_sequences/*/c23/videos/*.mp4"))[0]
    text = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
    first, second = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(package.parent)
    names: dict[str, Any] = {}
    exec(first, names)
    seen: list[ScoredFrame] = []
    person = detector.test_person(video, seen.append)
    found = names["probability"](seen[0].image, person.boxes[0], detector.card.crops.scale)
    assert found == pytest.approx(person.probabilities[0], abs=1e-6)
    monkeypatch.syspath_prepend(str(package))
    exec(second.replace("clip.mp4", str(video)), {})
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_people_are_apart_with_times_and_evidence(
    detector: Detector, tiny_ffpp: Path, write_video: WriteVideo, tmp_path: Path, read_frames
) -> None:
    """Two people beside each other, at 25 frames per second; the left one is larger."""
    video = sorted(tiny_ffpp.glob("original_sequences/*/c23/videos/*.mp4"))[0]
    frames = [*read_frames(video, 4).values()] * 3
    path = write_video(tmp_path / "two.mp4", map(side_by_side, frames), crf="10")
    seen: list[ScoredFrame] = []
    with open_media(path) as media:
        found = detector.video_scores(media, np.arange(1, 12, 2), seen.append)
    assert [frame.number for frame in seen] == found.numbers == [1, 3, 5, 7, 9, 11]
    assert seen[0].total == 6
    first, second = found.people
    assert first.boxes[:, 2].max() < second.boxes[:, 0].min()
    np.testing.assert_allclose(first.seconds, np.array(first.numbers) / 25)
    np.testing.assert_allclose(first.evidence.mean(axis=(1, 2)), first.logits, atol=1e-4)
    np.testing.assert_allclose(1 / (1 + np.exp(-first.logits)), first.probabilities, atol=1e-5)
    assert first.score == pytest.approx(first.probabilities.mean())


def side_by_side(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    both = np.full((frame.shape[0], frame.shape[1] * 2, 3), 128, dtype=np.uint8)
    both[:, : frame.shape[1]] = frame
    small = frame[::2, ::2]
    both[: small.shape[0], frame.shape[1] : frame.shape[1] + small.shape[1]] = small
    return both


def test_a_video_without_a_face_has_no_score(
    detector: Detector, write_video: WriteVideo, tmp_path: Path
) -> None:
    grey = [np.full((96, 128, 3), 90 + n, dtype=np.uint8) for n in range(4)]
    path = write_video(tmp_path / "grey.mp4", grey)
    with pytest.raises(NoFaceError, match=r"grey\.mp4: no face found in 2 frames"):
        detector.score(path)
    with open_media(path) as media:
        found = detector.video_scores(media, np.arange(4))
    assert found.people == []
    assert found.without_face == found.numbers


@pytest.mark.parametrize("content", [None, b"", b"not a video"])
def test_what_is_not_a_video_is_one_line(
    detector: Detector, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"clip\.mp4: .*expected a video or an image"):
        detector.score(path)


def test_damage_to_a_package_names_the_file(copied_package: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder"):
        Detector.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no card\.json"):
        Detector.open(tmp_path)
    # Reading it is an error of the disk.
    (copied_package / "README.md").unlink()
    (copied_package / "README.md").symlink_to("/proc/self/mem")
    with pytest.raises(InputError, match=r"README\.md: Input/output error"):
        Detector.open(copied_package)
    (copied_package / "README.md").unlink()
    (copied_package / "README.md").touch()
    change_card(copied_package, lambda card: None)
    network = copied_package / "detector.onnx"
    whole = network.read_bytes()
    network.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"detector\.onnx: damaged or altered"):
        Detector.open(copied_package)
    change_card(copied_package, lambda card: None)
    with pytest.raises(InputError, match=r"detector\.onnx: cannot be opened"):
        Detector.open(copied_package)
    (copied_package / "faces" / "o_net.onnx").unlink()
    with pytest.raises(InputError, match=r"detector\.onnx|o_net\.onnx: no such file"):
        Detector.open(copied_package)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda card: card.update(version=1), "of an older version (1), expected version 2"),
        (lambda card: card.update(version=3), "of a newer version (3), expected version 2"),
        (lambda card: card["crops"].pop("scale"), "field crops.scale is missing"),
        (lambda card: card["network"].update(image_size="x"), "field network.image_size is 'x'"),
        (lambda card: card["domain"].update(kind="film"), "field domain.kind is 'film'"),
        (
            lambda card: card["quality"]["curve"][2].pop("auc"),
            "field quality.curve[2].auc is missing",
        ),
    ],
)
def test_a_card_of_another_version_is_refused(
    copied_package: Path, change: Callable[[dict], object], expected: str
) -> None:
    change_card(copied_package, change)
    with pytest.raises(InputError) as refusal:
        Detector.open(copied_package)
    assert str(refusal.value).startswith(f"{copied_package / 'card.json'}: {expected}")
    (copied_package / "card.json").write_text('{"version": 2')
    with pytest.raises(InputError, match=r"card\.json: damaged"):
        Detector.open(copied_package)

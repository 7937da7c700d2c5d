"""The sample crops of a report."""

from evaluation.report.contact_sheet import contact_sheet
from tests.support.ladder_on_disk import DrawnCrops, frame_scores


def test_each_method_of_a_data_set_has_a_strip_of_distinct_people() -> None:
    strips = contact_sheet(DrawnCrops(frame_scores(1.0, 0)))
    assert [strip.title for strip in strips] == [
        "original", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures",
        "Celeb-real", "Celeb-synthesis",
    ]  # fmt: skip
    assert {strip.pictures for strip in strips} == {6}


def test_other_people_of_a_video_are_not_shown() -> None:
    crops = DrawnCrops(frame_scores(1.0, 0))
    alone = contact_sheet(crops)
    crops.add_other_people()
    assert contact_sheet(crops) == alone


def test_crops_of_the_other_splits_are_not_shown_as_those_of_the_test_split() -> None:
    crops = DrawnCrops(frame_scores(1.0, 0))
    crops.manifest["split"] = "train"
    assert contact_sheet(crops) == []

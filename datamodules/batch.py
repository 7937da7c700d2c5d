from typing import TypedDict

from torch import Tensor


class Batch(TypedDict):
    """A batch of B face crops, as the FaceForensicsDataModule feeds it to teacher and student.

    Attributes:
        image: Face crops, uint8 `[B, 3, S, S]`.
        label: 0 for real, 1 for fake, `[B]`.
        method: 0 for real, k for the k-th trained forgery method, -1 for others, `[B]`.
        row: Row of the crop in the manifest, `[B]`.
        video: Code of the crop's video, `[B]`.
        view: Seed of the crop's augmentation, `[B]`; -1 without augmentation.
        sample: Number of the training sample, flattened from `[view, real crop, real or fake]`,
            `[B]`; -1 in evaluation.
    """

    image: Tensor
    label: Tensor
    method: Tensor
    row: Tensor
    video: Tensor
    view: Tensor
    sample: Tensor

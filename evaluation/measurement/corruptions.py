"""Corruptions that a video may undergo between the forger and the detector, at five levels each."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import albumentations as A  # noqa: N812 -- the name albumentations' own documentation uses
import av
import cv2
import numpy as np
from numpy.typing import NDArray

Crops = NDArray[np.uint8]
"""Crops of one video, `[n, S, S, 3]` RGB."""

Corrupt = Callable[[Crops, float, int], Crops]
"""Function of a video's crops, a level and a seed that returns new crops."""

_BLOCKS_PER_SIDE = 14  # blocks of 8 px in a crop of 112
_GREY = 128


@dataclass(frozen=True)
class Corruption:
    """A corruption of face crops.

    The levels of saturation, contrast, occlusion and H.264, and the factors of down-scaling, are
    those of DeeperForensics-1.0 (Jiang et al., CVPR 2020, arXiv 2001.03024), whose "JPEG" is a
    down-scaling; its noise is similar. Lengths are shares of the crop's side, so a level has the
    same effect on crops of 112 and of 256 px.

    Attributes:
        quantity: Name of the quantity that the levels are values of.
        levels: Values from mild to severe.
        corrupt: Corrupts the crops of a video at a level.
    """

    quantity: str
    levels: tuple[float, ...]
    corrupt: Corrupt


def _by_crop(transform: Callable[[float, int], A.BasicTransform]) -> Corrupt:
    """Corrupt each crop separately; `transform` takes the level and the side in pixels."""

    def corrupt(crops: Crops, level: float, seed: int) -> Crops:
        # only Compose accepts a seed
        pipeline = A.Compose([transform(level, crops.shape[1])], seed=seed)
        return np.stack([pipeline(image=crop)["image"] for crop in crops])

    return corrupt


def _jitter(quantity: str) -> Callable[[float, int], A.BasicTransform]:
    unchanged = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}
    return lambda level, _: A.ColorJitter(**{**unchanged, quantity: (level, level)}, p=1)


def _blur(percent: float, side: int) -> A.BasicTransform:
    sigma = percent * side / 100
    return A.GaussianBlur(blur_limit=0, sigma_limit=(sigma, sigma), p=1)


def _occlude(blocks: float, side: int) -> A.BasicTransform:
    block = max(1, round(side / _BLOCKS_PER_SIDE))
    count, size = (int(blocks), int(blocks)), (block, block)
    return A.CoarseDropout(count, size, size, fill=_GREY, p=1)


def _downscale(factor: float, _: int) -> A.BasicTransform:
    return A.Downscale(
        (1 / factor, 1 / factor),
        interpolation_pair={"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR},
        p=1,
    )


def _jpeg(crops: Crops, quality: float, seed: int) -> Crops:
    """Encode and decode each crop; albumentations' own version would treat RGB as BGR."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    saved = [cv2.imencode(".jpg", crop[..., ::-1], options)[1] for crop in crops]
    opened = [np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))[..., ::-1] for jpeg in saved]
    return np.stack(opened).astype(np.uint8, copy=False)


def _h264(crops: Crops, crf: float, seed: int) -> Crops:
    """Re-encode the crops of one video as a clip."""
    side = crops.shape[1]
    even = side + side % 2  # 4:2:0 halves the resolution of the color
    pad = ((0, 0), (0, even - side), (0, even - side), (0, 0))
    clip = io.BytesIO()
    with av.open(clip, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = even
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(int(crf)), "threads": "1"}
        for picture in np.pad(crops, pad, mode="edge"):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    clip.seek(0)
    with av.open(clip, "r") as encoded:
        frames = [frame.to_ndarray(format="rgb24") for frame in encoded.decode(video=0)]
    decoded: Crops = np.stack(frames).astype(np.uint8, copy=False)
    return decoded[:, :side, :side]


CORRUPTIONS = {
    "JPEG": Corruption("quality", (90, 70, 50, 30, 10), _jpeg),
    "H.264": Corruption("constant rate factor", (30, 32, 35, 38, 40), _h264),
    "blur": Corruption(
        "deviation of the Gaussian, % of the side",
        (0.5, 1, 1.5, 2, 3),
        _by_crop(_blur),
    ),
    "noise": Corruption(
        "deviation of the Gaussian, share of the range",
        (0.03, 0.05, 0.07, 0.1, 0.2),
        _by_crop(lambda std, _: A.GaussNoise((std, std), per_channel=True, p=1)),
    ),
    "down-scaling": Corruption("factor", (2, 3, 4, 5, 6), _by_crop(_downscale)),
    "contrast": Corruption(
        "factor", (0.85, 0.725, 0.6, 0.475, 0.35), _by_crop(_jitter("contrast"))
    ),
    "saturation": Corruption("factor", (0.4, 0.3, 0.2, 0.1, 0.0), _by_crop(_jitter("saturation"))),
    "occlusion": Corruption(
        f"grey blocks of 1/{_BLOCKS_PER_SIDE} of the side", (16, 32, 48, 64, 80), _by_crop(_occlude)
    ),
}
"""Corruptions by name, in the order of the report."""

"""Bytes and milliseconds per crop of each format and augmentation; used by data_crops."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812
import cv2
import numpy as np
from numcodecs import Blosc
from threadpoolctl import threadpool_limits

from datamodules.crops.store import CODEC
from datamodules.transforms import PIPELINES

STORED = "Blosc LZ4, as stored"


def formats(crops: np.ndarray, rounds: int) -> dict[str, Any]:
    """Measure bytes and the milliseconds to write and read a crop in memory, with one thread."""
    blosc = {STORED: CODEC, "Blosc LZ4HC": Blosc("lz4hc", 9), "Blosc Zstandard": Blosc("zstd", 3)}

    def image(suffix: str, *flags: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
        return (
            lambda x: cv2.imencode(suffix, x[..., ::-1], flags)[1].tobytes(),
            lambda b: cv2.imdecode(np.frombuffer(b, np.uint8), cv2.IMREAD_COLOR_RGB),
        )

    codecs = {
        "raw": (lambda x: x.tobytes(), lambda b: np.array(np.frombuffer(b, np.uint8))),
        "PNG": image(".png"),
        "JPEG q95": image(".jpg", cv2.IMWRITE_JPEG_QUALITY, 95),
        "WebP lossless": image(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        **{name: (codec.encode, codec.decode) for name, codec in blosc.items()},
    }
    rows = {}
    for name, (write, read) in codecs.items():
        began = time.perf_counter()
        written = [write(np.ascontiguousarray(crop)) for crop in crops]
        to_write = (time.perf_counter() - began) / len(crops)
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            for content in written:
                read(content)
            times.append((time.perf_counter() - began) / len(crops))
        back = np.frombuffer(np.ascontiguousarray(read(written[0])), np.uint8)
        rows[name] = {
            "bytes": round(sum(map(len, written)) / len(crops)),
            "write_ms": round(1000 * to_write, 3),
            "read_ms": round(1000 * statistics.median(times), 3),
            "lossless": bool((back == crops[0].ravel()).all()),
        }
    return rows


def steps(crops: np.ndarray, rounds: int) -> dict[str, float]:
    """Measure the milliseconds of each augmentation, and of albumentations' FancyPCA."""
    pipeline = PIPELINES["full"]()
    members = [one for step in pipeline for one in getattr(step, "transforms", [step])]
    figures = {}
    with threadpool_limits(1):
        for member in [*members, A.FancyPCA()]:
            member.p = 1.0
            apply = A.Compose([member])
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                for crop in crops[:30]:
                    apply(image=crop)
                times.append((time.perf_counter() - began) / len(crops[:30]))
            figures[type(member).__name__] = round(1000 * statistics.median(times), 3)
    return figures

"""The onnxruntime back end of the face detector: three files, and no torch."""

from pathlib import Path
from typing import Any

import numpy as np

from errors import InputError
from faces.cascade import Images, Outputs

FILES = ("p_net.onnx", "r_net.onnx", "o_net.onnx")
"""Networks from float images `[n, h, w, 3]` RGB, 0 to 255, to shifts and probabilities."""

INPUT = "images"
_PIXELS_PER_CALL = 2**20
# The maps of so many squares fit a processor's cache.
_SQUARES_PER_CALL = 32
# Summed area tables take 12 bytes per pixel: 25 MB, one frame in full HD.
_FRAME_PIXELS = 2**21


def open_session(path: Path, threads: int) -> Any:
    """Open a network on the CPU; the session's threads sleep between calls.

    Raises:
        InputError: The file is missing, damaged, or needs a newer onnxruntime.
    """
    # It takes most of the runtime's import, and a command's --help needs none.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Waiting threads would take the cores from the decoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a type of error for each kind of damage
        reason = (" ".join(str(error).split()) or type(error).__name__)[:100]
        msg = f"{path}: cannot be opened ({reason}), expected an ONNX network: restore the file"
        raise InputError(msg) from error


class OnnxFaceNetworks:
    """P-Net, R-Net and O-Net from a folder; implements `FaceNetworks`.

    Raises:
        InputError: A file is missing or damaged.
    """

    pixels_per_batch = _FRAME_PIXELS
    """How many pixels of frames to pass through the cascade at once."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._p_net, self._r_net, self._o_net = (
            open_session(folder / name, threads) for name in FILES
        )

    def p_net(self, images: Images) -> Outputs:
        """Return shifts `[n, 4, rows, columns]` and probabilities `[n, rows, columns]`."""
        return _run(self._p_net, images, _PIXELS_PER_CALL // images[0, ..., 0].size)

    def r_net(self, squares: Images) -> Outputs:
        """Return shifts `[n, 4]` and probabilities `[n]` for squares of 24 px."""
        return _run(self._r_net, squares, _SQUARES_PER_CALL)

    def o_net(self, squares: Images) -> Outputs:
        """Return shifts `[n, 4]` and probabilities `[n]` for squares of 48 px."""
        return _run(self._o_net, squares, _SQUARES_PER_CALL)


def _run(session: Any, images: Images, per_call: int) -> Outputs:
    per_call = max(1, per_call)
    outputs = [
        session.run(None, {INPUT: images[start : start + per_call]})
        for start in range(0, len(images), per_call)
    ]
    none = (np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32))
    shifts, probabilities = zip(*(outputs or [none]), strict=True)
    return np.concatenate(shifts), np.concatenate(probabilities)

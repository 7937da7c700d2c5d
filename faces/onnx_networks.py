"""The onnxruntime back end of the face detector: three files, and no torch."""

import os
from pathlib import Path
from typing import Any

from errors import InputError
from faces.cascade import Images, Outputs

FILES = ("p_net.onnx", "r_net.onnx", "o_net.onnx")
"""Networks from float images `[n, h, w, 3]` RGB, 0 to 255, to shifts and probabilities."""

INPUT = "images"


def open_session(path: Path, threads: int | None = None) -> Any:
    """Open a network on the CPU; the session's threads sleep between calls.

    Args:
        path: An .onnx file.
        threads: Default: one per core that this process may use.

    Raises:
        InputError: The file is missing, damaged, or needs a newer onnxruntime.
    """
    # It takes most of the runtime's import, and a command's --help needs none.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _usable_cores()
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

    # Summed area tables take 12 bytes per pixel: 25 MB, one frame in full HD.
    pixels_per_batch = 2**21
    # The maps of so many squares fit a processor's cache.
    squares_per_call = 32

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self._sessions = {Path(name).stem: open_session(folder / name, threads) for name in FILES}

    def run(self, name: str, images: Images) -> Outputs:
        """Run a network, see `FaceNetworks`."""
        shifts, probabilities = self._sessions[name].run(None, {INPUT: images})
        return shifts, probabilities


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

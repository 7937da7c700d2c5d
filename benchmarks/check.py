"""Cost of a check, and what its statistics keep: `make bench-check`.

A package on a clip in full HD of 30 seconds, 60 sampled frames, against the same path in torch;
processes of their own, interleaved, medians over rounds. Memory on the same clip repeated to 1 and
60 minutes. Simulations of the ranks' intervals and of the calibration's false alarms.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import NormalDist
from typing import Any

import av
import cv2
import numpy as np
import torch
from jsonargparse import auto_cli

from benchmarks.machine import machine
from checking.calibration import p_value
from checking.ranks import share
from faces.decoding import decode_frames
from faces.frame_index import index_frames
from inference.card import read_card
from records.files import write_record

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "check"
WIDTH, HEIGHT, RATE, SECONDS = 1920, 1080, 30, 30


def main(
    package: Path,
    checkpoint: Path,
    clips: Path,
    runtime: Path | None = None,
    rounds: int = 5,
    out: Path = RESULTS,
) -> None:
    """Measure a package, and write the record.

    Args:
        package: A package of two-in-one export.
        checkpoint: best.ckpt of its run.
        clips: Folder of videos of real people, one person per file.
        runtime: Python of an environment with the runtime's packages only. Default: this one.
        rounds: Rounds of the interleaved timings.
        out: Folder of the record.
    """
    videos = sorted(clips.glob("*.mp4"))
    python = runtime or Path(sys.executable)
    record: dict[str, Any] = {"machine": machine(torch.device("cpu"))}
    with tempfile.TemporaryDirectory() as folder:
        clip = film(videos[0], Path(folder) / "clip.mp4")
        record["speed"] = speed(package, checkpoint, clip, python, rounds)
        record["memory"] = memory(package, clip, python, Path(folder))
    if runtime is not None:
        record["installed_mb"] = installed_megabytes(runtime)
    record["media"] = media_cases()
    record["clips"] = [{"clip": video.name, **run_path(python, package, video)} for video in videos]
    record["int8"] = vars(read_card(package).int8)
    record["coverage"] = [
        coverage(*design) for design in ((140, 1, 0.0), (40, 1, 0.0), (40, 4, 0.6))
    ]
    record["calibration"] = [
        false_alarms(videos, level) for videos, level in ((72, 0.05), (120, 0.05), (368, 0.01))
    ]
    write_record(out / "cpu.json", record)
    print(json.dumps(record, indent=1))


def film(source: Path, target: Path) -> Path:
    """Enlarge a clip of a person to full HD, forward and back, on a blurred ground."""
    index = index_frames(source)
    frames = []
    for _, frame in decode_frames(source, index, range(min(index.length, 30))):
        width = round(frame.shape[1] * HEIGHT / frame.shape[0])
        ground = cv2.resize(cv2.blur(frame, (99, 99)), (WIDTH, HEIGHT))
        ground[:, 400 : 400 + width] = cv2.resize(frame, (width, HEIGHT))[:, : WIDTH - 400]
        frames.append(ground)
    frames += frames[::-1]
    with av.open(target, "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(RATE * SECONDS):
            frame = av.VideoFrame.from_ndarray(frames[number % len(frames)], format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return target


def repeat(clip: Path, times: int, target: Path) -> Path:
    """Write a clip several times after itself, without encoding it again."""
    with av.open(target, "w") as output:
        stream: Any = None
        for turn in range(times):
            with av.open(clip) as source:
                video = source.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                shift = round(turn * SECONDS / Fraction(video.time_base or 1))
                for packet in source.demux(video):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        output.mux(packet)
    return target


def run_path(python: Path, package: Path, video: Path) -> dict[str, Any]:
    return timed([str(python), "benchmarks/check_paths.py", "runtime", str(package), str(video)])


def timed(argv: list[str]) -> dict[str, Any]:
    """Run a process; return what it prints as JSON, if anything, and its duration."""
    began = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    lines = done.stdout.strip().splitlines()
    printed = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return {"cold_seconds": seconds, **printed}


def speed(package: Path, checkpoint: Path, clip: Path, python: Path, rounds: int) -> dict[str, Any]:
    """Time the whole check, its help, and the path in both runtimes, interleaved."""
    torch_argv = [sys.executable, "-m", "benchmarks.check_paths", "torch"]
    torch_argv += [str(package), str(clip), str(checkpoint)]
    taken: dict[str, list[dict[str, Any]]] = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as pages:
            check = [str(python), str(package), str(clip), f"--out={pages}/{number}"]
            runs = {
                "check": lambda argv=check: timed(argv),
                "runtime": lambda: run_path(python, package, clip),
                "torch": lambda: timed(torch_argv),
                "help": lambda: timed([sys.executable, "-m", "cli", "check", "--help"]),
            }
            for name, run in runs.items():
                taken.setdefault(name, []).append(run())
    medians = {
        name: {key: statistics.median(one[key] for one in several) for key in several[0]}
        for name, several in taken.items()
    }
    ratios = {
        key: statistics.median(
            slow[key] / fast[key]
            for slow, fast in zip(taken["torch"], taken["runtime"], strict=True)
        )
        for key in ("cold_seconds", "warm_seconds")
    }
    return {"rounds": rounds, **medians, "times_as_fast_as_torch": ratios}


def memory(package: Path, clip: Path, python: Path, folder: Path) -> dict[str, Any]:
    """Peak memory on one minute and on an hour of the clip."""
    peaks = {}
    for minutes in (1, 60):
        video = repeat(clip, 2 * minutes, folder / "long.mp4")
        peaks[f"{minutes} min"] = run_path(python, package, video)
    return peaks


def installed_megabytes(python: Path) -> float:
    """Size of an environment's packages, without pip and setuptools."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    root = Path(found.stdout.strip())
    files = (file for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    own = (f for f in files if not f.relative_to(root).parts[0].startswith(("pip", "setuptools")))
    return round(sum(file.stat().st_size for file in own) / 1e6, 1)


def media_cases() -> str:
    argv = [sys.executable, "-m", "pytest", "-n0", "-q", "tests/faces/test_media.py"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    return "all right" if done.returncode == 0 else done.stdout.strip().splitlines()[-1]


def coverage(people: int, videos: int, correlation: float, rounds: int = 5000) -> dict[str, Any]:
    """Simulate how often the interval of a share holds the population's."""
    rng, covered, widths = np.random.default_rng(0), [], []
    identity = np.repeat(np.arange(people), videos)
    for _ in range(rounds):
        known = np.sqrt(correlation) * rng.normal(size=people)[identity]
        known += np.sqrt(1 - correlation) * rng.normal(size=len(identity))
        score = rng.normal()
        found = share(known >= score, identity.astype(str))
        covered.append(found.low <= NormalDist().cdf(-score) <= found.high)
        widths.append(found.high - found.low)
    design = {"people": people, "videos": videos, "correlation": correlation}
    return {**design, "coverage": float(np.mean(covered)), "width": float(np.mean(widths))}


def false_alarms(videos: int, level: float, splits: int = 200) -> dict[str, Any]:
    """Simulate calibrations and the false-alarm rates of flagging at their bound."""
    rng = np.random.default_rng(0)
    most = max(k for k in range(videos) if p_value(k, videos).bound <= level)
    rates = 1 - np.sort(rng.random((splits, videos)))[:, -1 - most]
    return {
        "videos": videos,
        "level": level,
        "splits_within_level": float(np.mean(rates <= level)),
        "mean_rate": float(np.mean(rates)),
    }


if __name__ == "__main__":
    auto_cli(main, as_positional=True)

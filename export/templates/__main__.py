"""Check videos and images: `python detector VIDEO…`; `--help` lists the options."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_FOLDER = Path(__file__).resolve().parent

try:
    from checking.command import run_calibrate, run_check
    from checking.files import printing
    from checking.sampling import Sampling
    from errors import InputError
except Exception as error:  # damaged code raises anything
    needs = f"pip install -r {_FOLDER / 'requirements.txt'}, or make the package again"
    print(f"error: {_FOLDER}: cannot be imported ({error}): {needs}", file=sys.stderr)
    sys.exit(2)


class TextScreen:
    """Progress on standard error if that is a terminal; lines on a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def watch(self, path: Path, place: int, total: int) -> Callable[[int, int], None]:
        """Return what is called with the numbers of frames done and to do."""

        def show(done: int, frames: int) -> None:
            if sys.stderr.isatty():
                end = "\r" if done < frames else "\r\x1b[K"
                print(f"{place + 1}/{total} {path.name}: {done}/{frames}", end=end, file=sys.stderr)

        return show

    def print(self, line: str) -> None:
        """Print a line."""
        with printing(self._stream):
            print(line, file=self._stream, flush=True)

    def error(self, line: str) -> None:
        """Print a line about bad input to standard error."""
        print(f"error: {line}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Return 0 if every file has a verdict, 1 if not, 2 for bad input, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser("python detector", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="videos, images, folders or patterns")
    parser.add_argument("--out", type=Path, default=Path("checks"), help="folder of the pages")
    parser.add_argument("--csv", type=Path, help="file for a table with one row per person")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between frames")
    parser.add_argument("--max_frames", type=int, default=60, help="the most frames per video")
    parser.add_argument("--calibration", type=Path, help="default: the one in this folder, if any")
    real = "score a folder of your own real videos, to compare checks with"
    parser.add_argument("--calibrate", type=Path, metavar="FOLDER", help=real)
    parser.add_argument("--level", type=float, default=0.05, help="of false alarms, for that")
    verify = "compute the known answers on this machine"
    parser.add_argument("--verify", action="store_true", help=verify)
    options = parser.parse_args(arguments)
    try:
        return _run(options, parser)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would be a traceback
        print("interrupted: run the same command again to resume", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if options.verify:
        from inference.answers import Answers, check_answers
        from inference.detector import Detector

        print(check_answers(Detector.open(_FOLDER), Answers.open(_FOLDER)))
        return 0
    screen = TextScreen(sys.stderr if options.json else sys.stdout)
    sampling = Sampling(options.every, options.max_frames)
    if options.calibrate:
        out = options.calibration
        run_calibrate(options.calibrate, _FOLDER, out, options.level, sampling, screen)
        return 0
    if not options.paths:
        parser.error("name a video, an image or a folder")
    return run_check(
        options.paths,
        _FOLDER,
        options.calibration,
        options.out,
        sampling,
        options.csv,
        options.json,
        screen,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

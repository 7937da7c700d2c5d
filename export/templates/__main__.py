"""Score videos: `python detector VIDEO…` prints one line per video."""

import sys
from pathlib import Path

from errors import InputError
from inference.answers import Answers, check_answers
from inference.detector import Detector

_USAGE = "usage: python detector VIDEO…     scores from 0 (real) to 1 (fake)\n" \
    "       python detector --verify   compute the known answers on this machine"  # fmt: skip


def main(arguments: list[str]) -> int:
    """Print the scores; return 0, 1 if a video has no score, or 2 for a mistake."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return 0 if arguments else 2
    try:
        detector = Detector.open(Path(__file__).resolve().parent)
        if arguments == ["--verify"]:
            print(check_answers(detector, Answers.open(detector.folder)))
            return 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    status = 0
    for path in arguments:
        try:
            print(f"{detector.score(Path(path)):.4f}  {path}", flush=True)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

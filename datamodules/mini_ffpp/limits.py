from pathlib import Path

from errors import InputError

MOST_IDENTITIES = 1000  # ids have three digits, as FaceForensics++'s
SIZES = (96, 1024)
MOST_FRAMES = 2000
MOST_STRENGTH = 10.0


def check_identities(counts: dict[str, int]) -> None:
    """Refuse split sizes that no pairs can be made of.

    Raises:
        InputError: A count is not a positive even number, or there are more than 1000 in all.
    """
    for split, count in counts.items():
        if count < 2 or count % 2:
            msg = f"--{split} {count}: identities come in pairs; give an even number from 2 on"
            raise InputError(msg)
    total = sum(counts.values())
    if total > MOST_IDENTITIES:
        msg = f"{total} identities: the splits together may have at most {MOST_IDENTITIES}"
        raise InputError(msg)


def check_celebrities(count: int) -> None:
    """Refuse a number of people that Celeb-DF's groups cannot be made of.

    Raises:
        InputError: The count is not a multiple of five, from 10 to 1000.
    """
    if not 10 <= count <= MOST_IDENTITIES or count % 5:
        msg = f"--celebrities {count}: expected a multiple of 5 from 10 to {MOST_IDENTITIES}"
        raise InputError(msg)


def check_settings(
    *, frames: int, size: int, strength: float, seed: int, workers: int | None
) -> None:
    """Refuse what no video can be made of.

    Raises:
        InputError: A value is out of range.
    """
    if not 2 <= frames <= MOST_FRAMES:
        msg = f"--frames {frames}: a video has 2 to {MOST_FRAMES} frames"
        raise InputError(msg)
    if not SIZES[0] <= size <= SIZES[1] or size % 2:
        msg = f"--size {size}: expected an even number of pixels, {SIZES[0]} to {SIZES[1]}"
        raise InputError(msg)
    if not 0 <= strength <= MOST_STRENGTH:
        msg = f"--strength {strength}: expected 0 (no traces) to {MOST_STRENGTH:g}"
        raise InputError(msg)
    if seed < 0:
        msg = f"--seed {seed}: expected 0 or more"
        raise InputError(msg)
    if workers is not None and workers < 1:
        msg = f"--workers {workers}: expected 1 or more processes"
        raise InputError(msg)


def check_folders(out: Path, celeb_df: Path) -> None:
    """Refuse folders of which one lies in the other.

    Raises:
        InputError: The two data sets would mix.
    """
    one, other = out.resolve(), celeb_df.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        msg = f"--celeb_df {celeb_df}: expected a folder neither inside nor around --out {out}"
        raise InputError(msg)

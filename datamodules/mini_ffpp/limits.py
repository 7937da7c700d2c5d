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
        msg = f"--strength {strength}: expected 0 (no traces) to {MOST_STRENGTH:g}; 1 is the default"
        raise InputError(msg)
    if seed < 0:
        msg = f"--seed {seed}: expected 0 or more"
        raise InputError(msg)
    if workers is not None and workers < 1:
        msg = f"--workers {workers}: expected 1 or more processes"
        raise InputError(msg)

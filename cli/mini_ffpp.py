from pathlib import Path

FRAMES_RENDERED = 8
FRAMES_REAL = 24


def mini_ffpp(
    out: Path,
    train: int = 240,
    val: int = 40,
    test: int = 60,
    frames: int | None = None,
    size: int = 256,
    strength: float = 1.0,
    seed: int = 0,
    faces: Path | None = None,
    celeb_df: Path | None = None,
    celebrities: int = 20,
    workers: int | None = None,
) -> None:
    """Generate the embedded data set, miniatures of FaceForensics++ and Celeb-DF.

    What is complete with the same settings is reused; what was interrupted goes on.

    Args:
        out: Folder for the miniature of FaceForensics++: new, empty, or of an earlier call.
        train: Identities of the train split, an even number. With --faces the splits follow from
            the number of usable files.
        val: Identities of the validation split, an even number.
        test: Identities of the test split, an even number.
        frames: Frames a video. Default: 8, with --faces 24.
        size: Width and height of the videos in pixels.
        strength: Factor of the traces that the forgeries leave; 0 leaves none.
        seed: Seed of everything drawn. The same seed gives the same bytes.
        faces: Folder with videos of real faces, one identity a file, to use instead of rendered
            ones.
        celeb_df: Folder for the miniature of Celeb-DF. Default: beside out, named OUT-celeb-df.
            Its faces are always rendered.
        celebrities: People with forgeries in the miniature of Celeb-DF, a multiple of 5.
        workers: Processes. Default: one for each core.
    """
    from datamodules.mini_ffpp.celeb_df import generate_mini_celeb_df
    from datamodules.mini_ffpp.generate import generate_mini_ffpp
    from datamodules.mini_ffpp.limits import check_celebrities, check_folders

    celeb_df = celeb_df or out.with_name(f"{out.name}-celeb-df")
    check_folders(out, celeb_df)
    check_celebrities(celebrities)
    default_frames = FRAMES_RENDERED if faces is None else FRAMES_REAL
    made = generate_mini_ffpp(
        out,
        train=train,
        val=val,
        test=test,
        frames=frames if frames is not None else default_frames,
        size=size,
        strength=strength,
        seed=seed,
        faces=faces,
        workers=workers,
    )
    generate_mini_celeb_df(
        celeb_df,
        celebrities=celebrities,
        frames=frames if frames is not None else FRAMES_RENDERED,
        size=size,
        strength=strength,
        seed=seed,
        workers=workers,
    )
    print(f"{made['dataset']}: {out}")
    print(f"mini-Celeb-DF-v2: {celeb_df}")
    for compression, control in made["confound_control"].items():
        figures = ", ".join(
            f"{control[name]['auc']:.3f} ({name.replace('_', ' ')})"
            for name in ("logistic_regression", "gradient_boosting")
        )
        print(f"confound control, {compression}, video AUC (0.5 is chance): {figures}")

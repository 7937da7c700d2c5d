"""teacher<t>.zip: a teacher and all its students in one small file, to be kept with the code."""

import re
import zipfile
import zlib
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct

from errors import InputError, refuse_difference
from records.data_info import DataInfo
from records.files import decode_record, read_record, replacing, require_file
from records.identities import named_by_ids
from records.provenance import Machine
from records.results import ClaimResult, RunResults
from records.scores import PEOPLE, VIDEO_KEY

VIDEO = [*VIDEO_KEY, "label"]
"""The first columns of the scores, with PEOPLE where the ids of the videos do not name them.

The others are runs, and a teacher's branches: `RUN/BRANCH`.
"""

EPSILON = np.finfo(np.float64).eps
_RECORD, _SCORES = "runs.json", "logits.csv"
_EXPECTED = "the record of a teacher's block"
_REMEDY = "check it out again, or remove it and make the block again"
_NAME = re.compile(r"(dropped-)?teacher\d+\.zip")


class BlockRecord(Struct, frozen=True, kw_only=True):
    """What a block is, and the results of its finished runs.

    Attributes:
        recipe: Every setting of the runs, by "FILE.KEY".
        data: Every setting of the videos and of the crops.
        manifest_hash: The rendering that all runs of the block are from.
        test_crops: Manifest hashes of the further test stores, by name. Like that of the rendering
            itself, they differ between processors.
        planned: Names of all runs of the block, the teacher first.
        machine: The machine of the teacher's training.
    """

    version: Literal[1] = 1
    teacher_seed: int
    recipe: dict[str, Any]
    data: dict[str, Any]
    manifest_hash: str
    test_crops: dict[str, str]
    planned: list[str]
    machine: Machine | None
    runs: list[RunResults]

    @property
    def complete(self) -> bool:
        """Whether all planned runs are finished."""
        return len(self.runs) == len(self.planned)


class ExperimentClaims(Struct, frozen=True, kw_only=True):
    """The content of claims.json, beside the blocks.

    Attributes:
        epochs: Epochs of the students, None if no config file sets them.
        blocks: Names of the files that the claims are judged over.
        dropped: Names of the runs of unfinished blocks that were replaced.
        judged: Number of runs at each judging, see `ReproductionResults`.
    """

    version: Literal[1] = 1
    data: DataInfo
    epochs: int | None
    claims: list[ClaimResult]
    blocks: list[str]
    dropped: list[str]
    judged: list[int]


def claims_path(folder: Path) -> Path:
    """Return the path of the claims over a folder of blocks."""
    return folder / "claims.json"


def read_experiment_claims(folder: Path) -> ExperimentClaims | None:
    """Read the claims over a folder of blocks; None if they were not judged yet.

    Raises:
        InputError: The file is damaged or of another version.
    """
    path = claims_path(folder)
    if not path.exists():
        return None
    remedy = "remove it and run the same command again"
    return read_record(path, ExperimentClaims, "the claims of an experiment", remedy)


def block_path(folder: Path, teacher_seed: int) -> Path:
    """Return the path of a teacher's block in a folder of blocks."""
    return folder / f"teacher{teacher_seed}.zip"


def is_block(path: Path) -> bool:
    """Return whether a path has the name of a block's file."""
    return _NAME.fullmatch(path.name) is not None


def block_files(folder: Path) -> list[Path]:
    """Return the blocks of a folder by teacher, without those that were dropped."""
    found = [path for path in folder.glob("teacher*.zip") if is_block(path)]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def read_blocks(folder: Path) -> dict[Path, BlockRecord]:
    """Read the blocks of a folder by their files.

    Raises:
        InputError: A file is damaged, or two blocks differ in their recipe or in their data.
    """
    blocks = {path: read_block(path) for path in block_files(folder)}
    for path, block in blocks.items():
        first = next(iter(blocks.values()))
        made, expected = (
            one.recipe | one.data | {"test_crops": sorted(one.test_crops)} for one in (block, first)
        )
        remedy = f"as in teacher {first.teacher_seed}'s: keep one experiment in a folder"
        refuse_difference(f"{path}: made with", made, expected, remedy)
    return blocks


def drop_block(path: Path) -> Path:
    """Rename an unfinished block, so that its runs stay listed but no longer count."""
    return path.replace(path.with_name(f"dropped-{path.name}"))


def dropped_blocks(folder: Path) -> list[Path]:
    """Return the blocks of a folder that were dropped."""
    return sorted(path for path in folder.glob("dropped-*.zip") if is_block(path))


def write_block(path: Path, record: BlockRecord, scores: pd.DataFrame) -> None:
    """Write a block, whole or not at all; the same content gives the same bytes.

    Args:
        path: See `block_path`.
        record: The block.
        scores: VIDEO, PEOPLE if known, and a column per run or branch, one row per test video.
            They are kept as logits of 6 digits, so that scores near 0 and 1 stay apart.

    Raises:
        InputError: The file cannot be written.
    """
    if named_by_ids(scores):
        scores = scores.drop(columns=PEOPLE, errors="ignore")
    keys = _keys(scores)
    probability = scores.drop(columns=keys).clip(EPSILON, 1 - EPSILON)
    logits = probability.transform(lambda p: np.log(p) - np.log1p(-p))
    table = scores[keys].join(logits).sort_values(VIDEO_KEY)
    text = table.to_csv(index=False, float_format="%.6g")
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as file:
        for name, content in ((_RECORD, msgspec.json.encode(record)), (_SCORES, text)):
            member = zipfile.ZipInfo(name)  # of a fixed date
            file.writestr(member, content, zipfile.ZIP_DEFLATED, 9)


def read_block(path: Path) -> BlockRecord:
    """Read what a block is, and its results.

    Raises:
        InputError: The file is missing, damaged or of another version.
    """
    return decode_record(path, _read(path, _RECORD), BlockRecord, _EXPECTED, _REMEDY)


def read_block_scores(path: Path, column: str) -> pd.DataFrame:
    """Read the video scores of a run or of a teacher's branch: VIDEO, `score`, PEOPLE if kept.

    Raises:
        InputError: The file is missing or damaged, or has no such column.
    """
    require_file(path, _EXPECTED, _REMEDY)
    table = _scores(path, path.stat().st_mtime_ns)
    if column not in table:
        msg = f"{path}: no scores of {column}, expected {_EXPECTED}: {_REMEDY}"
        raise InputError(msg)
    # As a distance from 0 or 1: near 1, 1 / (1 + exp(-logit)) would lose digits of the logit.
    distance = 1 / (1 + np.exp(table[column].abs()))
    own = table[_keys(table)].assign(score=distance.where(table[column] <= 0, 1 - distance))
    return own[own["score"].notna()].reset_index(drop=True)


@lru_cache(maxsize=64)
def _scores(path: Path, modified: int) -> pd.DataFrame:
    text = dict.fromkeys([*VIDEO_KEY, *PEOPLE], "str")
    try:
        table = pd.read_csv(
            StringIO(_read(path, _SCORES)), dtype=text, keep_default_na=False, na_values=[""]
        )
        table = table.astype(dict.fromkeys(table.columns.difference(_keys(table)), np.float64))
        return table.fillna(dict.fromkeys(PEOPLE, ""))
    except (ValueError, KeyError) as error:
        msg = f"{path}: {' '.join(str(error).split())}; expected {_EXPECTED}: {_REMEDY}"
        raise InputError(msg) from error


def _keys(scores: pd.DataFrame) -> list[str]:
    """Return the columns that are no scores."""
    return [name for name in (*VIDEO, *PEOPLE) if name in scores]


def _read(path: Path, member: str) -> str:
    require_file(path, _EXPECTED, _REMEDY)
    try:
        with zipfile.ZipFile(path) as file:
            return file.read(member).decode()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        msg = f"{path}: damaged ({reason}), expected {_EXPECTED}: {_REMEDY}"
        raise InputError(msg) from error

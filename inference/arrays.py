"""The .npz files of a package: named arrays, read without pickle."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from errors import InputError
from inference.card import EXPECTED, REMEDY


@dataclass(frozen=True, eq=False)
class PackageArrays:
    """Arrays that a package keeps in one file; a subclass names the file and the arrays."""

    file: ClassVar[str]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the arrays of a package.

        Raises:
            InputError: The file is missing or damaged.
        """
        path = folder / cls.file
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(**{field.name: file[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            msg = f"{path}: damaged ({reason:.80}), expected a file of {EXPECTED}: {REMEDY}"
            raise InputError(msg) from error

    def arrays(self) -> dict[str, Any]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

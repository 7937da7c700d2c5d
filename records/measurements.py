"""What was measured beside the tests of the runs: their cost, and their robustness."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import InputError
from records.results import VERSION

PROFILE, ROBUSTNESS, ROBUSTNESS_VAL = "profile.json", "robustness.json", "robustness-val.json"
FILES = (PROFILE, ROBUSTNESS, ROBUSTNESS_VAL, "robustness")


@dataclass(frozen=True)
class Measured:
    """The blocks of profile.json and robustness.json; none where they were not measured."""

    profile: dict[str, Any] | None
    robustness: dict[str, Any] | None

    def cost_of(self, run: str) -> dict[str, Any] | None:
        """The network of a run in the profile."""
        networks = self.profile["networks"] if self.profile else []
        return next((network for network in networks if run in network["runs"]), None)


def read_measured(folder: Path) -> Measured:
    """Read what lies in a report's folder; of the robustness that on the test split first.

    Raises:
        InputError: A file is cut short, or of another version.
    """
    robustness = _read(folder / ROBUSTNESS, "robustness")
    return Measured(
        profile=_read(folder / PROFILE, "profile"),
        robustness=robustness or _read(folder / ROBUSTNESS_VAL, "robustness"),
    )


def _read(path: Path, block: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    again = f"run `two-in-one {block}` again, or delete it"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path}: cut short or not JSON: {again}"
        raise InputError(msg) from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION or block not in content:
        msg = f"{path}: version {version}, expected version {VERSION} of a {block}: {again}"
        raise InputError(msg)
    measured: dict[str, Any] = content[block]
    return measured

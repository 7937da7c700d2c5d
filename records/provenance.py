"""provenance.json: what is needed to repeat a training, beside its config."""

import platform
from pathlib import Path

from msgspec import Struct

from records.files import read_record
from records.folder import RunFolder


class Machine(Struct, frozen=True):
    """The machine of a training or a measurement."""

    platform: str
    python: str
    processor: str
    instruction_set: str
    cores: int | None
    accelerators: list[str]


def processor_name() -> str:
    """Return the processor's model, such as "AMD EPYC", or at least its architecture."""
    cpuinfo = Path("/proc/cpuinfo")  # of Linux, where platform.processor() has no model
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


class ProvenanceRecord(Struct, frozen=True, kw_only=True):
    """The content of provenance.json; the git fields are None outside a git checkout."""

    git_commit: str | None
    git_dirty: bool | None
    command: str
    seed: int
    data_manifest_sha256: str
    devices: int
    trained_parameters: int
    packages: dict[str, str]
    machine: Machine


def read_provenance(run: RunFolder) -> ProvenanceRecord:
    """Read the provenance of a run; see `read_record`."""
    remedy = "copy it back, or train the run again"
    return read_record(run.provenance, ProvenanceRecord, "the provenance of a training", remedy)

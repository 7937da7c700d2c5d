"""The runtime's files in a package: copies of this project's own."""

import shutil
from pathlib import Path

import checking
import errors
import faces
import inference

_TEMPLATES = Path(__file__).parent / "templates"
_ONLY_HERE = {"torch_networks.py"}


def copy_runtime(folder: Path) -> None:
    """Copy the code that scores videos without torch and this project into a package."""
    for package in (checking, faces, inference):
        source = Path(str(package.__file__)).parent
        (folder / source.name).mkdir(exist_ok=True)
        for path in sorted(source.iterdir()):
            if path.is_file() and path.name not in _ONLY_HERE:
                shutil.copyfile(path, folder / source.name / path.name)
    shutil.copyfile(str(errors.__file__), folder / "errors.py")
    for name in ("__main__.py", "predict.py", "requirements.txt"):
        shutil.copyfile(_TEMPLATES / name, folder / name)

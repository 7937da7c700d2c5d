from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from experiments.runner import PlannedRun
from tests.support.processes import fork_stage

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature's recipe, made small; its teacher and student are the real ones."""
    folder: Path = tmp_path_factory.mktemp("recipe")
    recipe = yaml.safe_load((CONFIGS / "reproduce" / "mini.yaml").read_text())
    recipe["extraction"] = {"frames_per_video": 2, "size": 64}
    recipe["measures"] = {"rounds": 1, "corruptions": ["saturation"], "num_workers": 0}
    small = {
        "data": {"image_size": 64, "batch_size": 4},
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "enable_progress_bar": False},
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(small))
    recipe["configs"].append(str(folder / "small.yaml"))
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture(scope="module")
def forked_stages() -> Iterator[None]:
    """Fork the stages of a command from a server that has imported everything once.

    The console script would import it for each stage.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlannedRun, "start", fork_stage)
        yield

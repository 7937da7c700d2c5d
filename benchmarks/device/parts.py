"""The parts of `python -m benchmarks`, and the packages that they need."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part: a function of a module of this folder.

    Attributes:
        name: Name on the command line and in the file.
        module: Module with a function `measure`.
        seconds: Limit of its duration.
        devices: Where it has a meaning.
    """

    name: str
    module: str
    seconds: float
    devices: tuple[str, ...] = ("cpu", "cuda")


PARTS = (
    Part("teacher", "recipe", 150),
    Part("step", "step", 60),
    Part("bf16-mixed", "recipe", 120),
    Part("16-mixed", "recipe", 120, devices=("cuda",)),
    Part("32-true", "recipe", 120, devices=("cpu",)),
    Part("teacher-precision", "teacher_precision", 45),
    Part("loading", "loading", 45),
    Part("extraction", "extraction", 45),
    Part("latency", "latency", 60),
    Part("compile", "recipe", 240),
)
"""The most important first; only the recipe's students need an earlier part, the teacher."""

PACKAGES = {
    "albucore": "albucore",
    "albumentations": "albumentations",
    "annotated-types": "annotated_types",
    "certifi": "certifi",
    "charset-normalizer": "charset_normalizer",
    "cloudpickle": "cloudpickle",
    "docstring-parser": "docstring_parser",
    "facenet-pytorch": "facenet_pytorch",
    "joblib": "joblib",
    "jsonargparse": "jsonargparse",
    "markdown-it-py": "markdown_it",
    "mdurl": "mdurl",
    "msgspec": "msgspec",
    "narwhals": "narwhals",
    "numcodecs": "numcodecs",
    "omegaconf": "omegaconf",
    "pydantic": "pydantic",
    "pydantic-core": "pydantic_core",
    "pygments": "pygments",
    "qpsolvers": "qpsolvers",
    "quadprog": "quadprog",
    "requests": "requests",
    "rich": "rich",
    "scikit-learn": "sklearn",
    "simsimd": "simsimd",
    "stringzilla": "stringzilla",
    "threadpoolctl": "threadpoolctl",
    "torchjd": "torchjd",
    "typeshed-client": "typeshed_client",
    "typing-inspection": "typing_inspection",
    "urllib3": "urllib3",
    "xxhash": "xxhash",
}
"""By name in the package index, the module of every further package that the parts import."""

"""A run's detector as a package: one folder that scores videos anywhere."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from checking.files import explaining
from datamodules.transforms import create_transform
from errors import InputError, first_line
from evaluation.comparison.run import Run
from evaluation.measurement.corrupted_scores import SplitCrops, select_crops
from evaluation.measurement.models import Model
from export.answers import make_answers
from export.card import crop_rule, domain_of, frame_rule, make_card
from export.model_card import write_model_card
from export.quality import measure_quality, spread
from export.quantization import write_int8
from export.runtime import copy_runtime
from export.validation import make_reference, score_videos
from faces.video_faces import VideoFaces
from inference.answers import ANSWERS, Agreement, Answers, compare
from inference.card import CARD, Card, Crops, Network, Quantized
from inference.crop_scorer import CropScorer
from inference.detector import FACES, NETWORK, NETWORK_INT8, Detector
from inference.reference import REFERENCE
from lightning_modules.export import export_face_networks, export_onnx
from records.files import PARTIAL, sha256, write_record
from records.measurements import Measurements

_CALIBRATION_CROPS = 128
_SAMPLE_VIDEOS = 48
Report = Callable[[str], None]


def write_package(
    model: Model,
    crops: Path | None,
    out: Path,
    licence: str | None,
    measured: Measurements,
    report: Report,
) -> tuple[Card, Agreement]:
    """Write a package, whole or not at all, once its answers agree with torch's.

    Args:
        model: A tested run with its detector.
        crops: Crop store; default: the one that the run was trained on.
        out: The package's folder: new, empty, or an earlier package, which is replaced.
        licence: Licence of the data; default: that of a known data set.
        measured: Robustness and cost, for the model card.
        report: Called with a line for each step.

    Raises:
        InputError: The run's files or its crops are missing or damaged, the network cannot be
            exported, the answers disagree, or the folder holds something else.
    """
    _check_target(out)
    run = model.run
    validation = select_crops([model], crops, "val")
    training = select_crops([model], crops, "train")
    rule = crop_rule(validation.store.settings, VideoFaces.min_face)
    frames = frame_rule(run, validation.store.settings)
    with replacing_folder(out) as folder:
        report("networks")
        _export(model, folder)
        _annotate(folder / NETWORK, run, rule, model.detector.image_size)
        network = _describe(model, folder / NETWORK)
        copy_runtime(folder)
        report("quality: validation crops, clean, blurred and compressed")
        aggregation = run.protocol.aggregation
        scorer = CropScorer(folder / NETWORK, network.image_size)
        quality = measure_quality(scorer, validation, aggregation)
        report("answers: a rendered person, scored by torch")
        answers = make_answers(model.detector, rule, frames, aggregation)
        np.savez_compressed(folder / ANSWERS, **answers.arrays())
        domain = domain_of(run, training, licence)
        card = make_card(run, network, rule, frames, domain, quality)
        agreement = _compare(Detector(folder, card), answers, model.checkpoint)
        report("reference: the validation scores")
        np.savez_compressed(folder / REFERENCE, **make_reference(run, validation).arrays())
        report("8 bits: calibrated on training crops, compared on validation videos")
        card = replace(card, int8=_write_int8(folder, card, training, validation))
        write_model_card(folder, card, run, measured)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        card.files.update({str(p.relative_to(folder)): sha256(p) for p in files})
        write_record(folder / CARD, asdict(card))
    return card, agreement


def _export(model: Model, folder: Path) -> None:
    """Write the networks."""
    try:
        export_onnx(model.detector, folder / NETWORK)
    # The exporter raises another exception for each kind of layer that it does not support.
    except Exception as error:
        reason = first_line(error)
        msg = f"{model.checkpoint}: cannot be exported to ONNX ({reason}): export another run"
        raise InputError(msg) from error
    (folder / FACES).mkdir()
    export_face_networks(folder / FACES)


def _annotate(path: Path, run: Run, crops: Crops, size: int) -> None:
    """Describe a network's input and output in the metadata of its file."""
    file = onnx.load(path)
    described = {
        "name": run.name,
        "input": f"uint8 crops [B, 3, {size}, {size}], RGB",
        "crop": f"square around the face, {crops.scale} times the longer side of MTCNN's box",
        "output": "logit and probability [B] of being fake, evidence [B, h, w]",
        "trained_on": f"{run.protocol.dataset} {run.protocol.compression}",
        "data_manifest_sha256": str(run.results.run.manifest_hash),
    }
    onnx.helper.set_model_props(file, described)
    onnx.save(file, path)


def _describe(model: Model, path: Path) -> Network:
    file = onnx.load(path)
    cost = model.detector.cost()
    shape = file.graph.output[2].type.tensor_type.shape.dim
    return Network(
        image_size=cost["input_size"],
        evidence=[int(dim.dim_value) for dim in shape[1:]],
        params=cost["params"],
        macs=cost["macs"],
        opset=next(one.version for one in file.opset_import if one.domain in ("", "ai.onnx")),
        ir_version=file.ir_version,
    )


def _compare(detector: Detector, answers: Answers, checkpoint: Path) -> Agreement:
    agreement = compare(detector, answers)
    if problems := agreement.problems():
        msg = (
            f"{checkpoint}: the package would differ from torch ({problems}), so it is not "
            "written: export another run, or with another version of onnxruntime"
        )
        raise InputError(msg)
    return agreement


def _write_int8(
    folder: Path, card: Card, training: SplitCrops, validation: SplitCrops
) -> Quantized:
    resize = create_transform("none", card.network.image_size)
    rows = spread([row for _, rows in training.videos for row in rows], _CALIBRATION_CROPS)
    crops = np.stack([resize(image=training.store.crop(row))["image"] for row in rows])
    score = partial(score_videos, card=card, store=validation.store)
    return write_int8(
        folder / NETWORK,
        folder / NETWORK_INT8,
        np.ascontiguousarray(crops.transpose(0, 3, 1, 2)),
        partial(score, videos=validation.videos),
        partial(score, videos=spread(validation.videos, _SAMPLE_VIDEOS)),
    )


def _check_target(out: Path) -> None:
    """Check that a folder is new, empty or an earlier package."""
    if out.is_dir() and any(out.iterdir()) and not (out / CARD).is_file():
        msg = (
            f"{out}: holds {min(p.name for p in out.iterdir())}, expected a new folder or a "
            "package: choose another folder with --out"
        )
        raise InputError(msg)
    if out.exists() and not out.is_dir():
        msg = f"{out}: a file, expected a folder for the package: choose another with --out"
        raise InputError(msg)


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `out`, or what this links to, if no exception is raised.

    Raises:
        InputError: It cannot be written.
    """
    folder = out.resolve()  # "." has no name
    unfinished, old = (folder.with_name(f".{folder.name}{end}") for end in (PARTIAL, ".old"))
    with explaining(out):
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            yield unfinished
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)
                folder.replace(old)
            unfinished.replace(folder)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

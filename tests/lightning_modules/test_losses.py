from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses

from errors import InputError
from lightning_modules.feature_distillation import FeatureDistillation, HomogenizationSpec
from lightning_modules.losses import (
    DISTANCES,
    LOGIT_LOSSES,
    RELATIONS,
    attention_transfer,
    cosine,
    hinton,
    log_sum,
    match_size,
    normalized_mse,
)
from lightning_modules.projectors import Identity, Linear

F64 = torch.float64


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_is_least_where_the_features_agree(name: str) -> None:
    distance = DISTANCES[name]
    target = torch.randn(4, 6, 3, 3, dtype=torch.float64)
    if name == "log_sum":  # its target is standardized
        target = F.batch_norm(target, None, None, training=True)
    student = (target + 0.3 * torch.randn_like(target)).requires_grad_()
    apart = distance(student, target)
    apart.backward()
    assert student.grad is not None
    step = 0.1 * student.grad / student.grad.norm()
    assert distance(target, target) < distance(student - step, target) < apart


def test_normalized_mse_is_twice_one_minus_the_cosine() -> None:
    a, b = torch.randn(2, 4, 6, 3, 3, dtype=torch.float64)
    expected = 2 - 2 * torch.cosine_similarity(a, b, dim=1).mean()
    torch.testing.assert_close(normalized_mse(3 * a, b), expected)
    torch.testing.assert_close(2 * cosine(a, b), expected)


def test_log_sum_is_blind_to_the_teachers_scale() -> None:
    student, teacher = torch.randn(2, 8, 6, dtype=torch.float64)
    torch.testing.assert_close(
        log_sum(student, teacher), log_sum(student, 9 * teacher + 4), rtol=1e-4, atol=1e-4
    )


def test_attention_transfer_compares_maps_of_any_widths() -> None:
    a, b = torch.randn(4, 6, 3, 3), torch.randn(4, 10, 3, 3)
    assert attention_transfer(a, b) > 0
    torch.testing.assert_close(attention_transfer(a, 5 * a.flip(1)), torch.tensor(0.0))
    with pytest.raises(InputError, match="features: map"):
        attention_transfer(a.flatten(1), a.flatten(1))


def test_features_meet_at_the_smaller_size() -> None:
    vector, small, large = torch.rand(1, 2), torch.rand(1, 5, 4, 4), torch.rand(1, 2, 8, 8)
    assert [x.shape for x in match_size(large, small)] == [(1, 2, 4, 4), (1, 5, 4, 4)]
    assert [x.shape for x in match_size(vector, small)] == [(1, 2), (1, 5)]


def test_hinton_is_the_divergence_of_the_softened_classes() -> None:
    student, teacher = torch.randn(2, 6, 5, dtype=torch.float64)
    label = torch.arange(6) % 5
    p, q = (teacher / 3).softmax(1), (student / 3).softmax(1)
    expected = 9 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(hinton(student, teacher, label, 3.0), expected)


@pytest.mark.parametrize("name", ["rkd", "sp", "pkt"])
def test_relations_are_blind_to_the_scale_the_rotation_and_the_order_of_features(name: str) -> None:
    student, teacher = torch.randn(6, 5, dtype=F64), torch.randn(6, 9, dtype=F64)
    rotation = torch.linalg.qr(torch.randn(5, 5, dtype=F64)).Q
    order = torch.randperm(6)
    expected = RELATIONS[name](student, teacher)
    same = RELATIONS[name]((3 * student @ rotation)[order], teacher[order])
    torch.testing.assert_close(same, expected, rtol=1e-9, atol=1e-12)
    assert RELATIONS[name](7 * teacher, teacher) < 1e-9 < expected


def test_rkd_is_the_papers_sum_over_pairs_and_triplets() -> None:
    student, teacher = torch.randn(5, 4, dtype=F64), torch.randn(5, 7, dtype=F64)
    count, huber = 5, lambda x: 0.5 * x**2 if abs(x) <= 1 else abs(x) - 0.5
    distances, angles = [], []
    for x in (student, teacher):
        pairs = [[float((a - b).norm()) for b in x] for a in x]
        mean = sum(map(sum, pairs)) / (count * (count - 1))
        distances.append([d / mean for row in pairs for d in row])
        angles.append(
            [
                0.0 if j in (i, k) else float(
                    (x[i] - x[j]) @ (x[k] - x[j]) / (x[i] - x[j]).norm() / (x[k] - x[j]).norm()
                )
                for j in range(count) for i in range(count) for k in range(count)
            ]
        )  # fmt: skip
    first, second = (
        sum(huber(a - b) for a, b in zip(*pair, strict=True)) / len(pair[0])
        for pair in (distances, angles)
    )
    torch.testing.assert_close(float(RELATIONS["rkd"](student, teacher)), first + 2 * second)


def test_sp_is_the_distance_of_the_normalized_similarities() -> None:
    student, teacher = torch.randn(5, 4, 3, 3, dtype=F64), torch.randn(5, 2, 3, 3, dtype=F64)
    matrices = []
    for x in (student, teacher):
        gram = [[float((a * b).sum()) for b in x] for a in x]
        matrices.append([g / sum(h * h for h in row) ** 0.5 for row in gram for g in row])
    expected = sum((a - b) ** 2 for a, b in zip(*matrices, strict=True)) / 25
    torch.testing.assert_close(float(RELATIONS["sp"](student, teacher)), expected)


def test_pkt_is_the_divergence_of_the_neighbourhoods() -> None:
    student, teacher = torch.randn(5, 4, dtype=F64), torch.randn(5, 7, dtype=F64)
    chosen = []
    for x in (teacher, student):
        kernel = (1 + F.cosine_similarity(x[:, None], x[None], dim=2)) / 2
        others = kernel[~torch.eye(5, dtype=torch.bool)].view(5, 4)
        chosen.append(others / others.sum(1, keepdim=True))
    expected = F.kl_div(chosen[1].log(), chosen[0], reduction="batchmean")
    torch.testing.assert_close(RELATIONS["pkt"](student, teacher), expected, rtol=1e-5, atol=1e-7)


def test_dist_is_one_minus_the_correlation_over_the_batch() -> None:
    student, teacher = torch.randn(2, 9, dtype=F64)
    logits = [torch.stack([torch.zeros_like(x), x], dim=1) for x in (student, teacher)]
    value = LOGIT_LOSSES["dist"](*logits, torch.zeros(9), 2.0)
    probabilities = torch.stack([(student / 2).sigmoid(), (teacher / 2).sigmoid()])
    torch.testing.assert_close(value, 4 * (1 - torch.corrcoef(probabilities)[0, 1]))
    # Blind to a monotone map that is linear in the probabilities.
    softened = (0.3 * (student / 2).sigmoid() + 0.2).logit() * 2
    moved = torch.stack([torch.zeros_like(softened), softened], dim=1)
    torch.testing.assert_close(LOGIT_LOSSES["dist"](moved, logits[1], torch.zeros(9), 2.0), value)


@pytest.mark.parametrize("distance", ["cosine", "rkd"])
def test_only_relations_compare_other_widths_without_a_projector(distance: str) -> None:
    def build() -> FeatureDistillation:
        return FeatureDistillation(
            6, {"spatial": 10}, Identity, "none", False, distance, HomogenizationSpec()
        )

    if distance == "cosine":
        with pytest.raises(InputError, match=r"6 channels and the target 10.*Linear"):
            build()
        return
    z = torch.randn(4, 6, 2, 2, requires_grad=True)
    build()(z, {"spatial": torch.randn(4, 10, 2, 2)})[1]["spatial"].backward()
    assert z.grad is not None
    assert z.grad.abs().max() > 0


@pytest.mark.parametrize("distance", RELATIONS)
def test_a_rank_builds_a_distillation_without_the_others(distance: str, monkeypatch) -> None:
    """Lightning's `prepare_data` runs on one rank while the others wait."""
    waiting = Mock(side_effect=AssertionError("waits for the other ranks"))
    monkeypatch.setattr("lightning_modules.losses.global_batch.all_gather", waiting)
    pooled = distance != "attention_transfer"
    FeatureDistillation(6, {"spatial": 10}, Linear, "none", pooled, distance, HomogenizationSpec())


@pytest.mark.parametrize("name", [*RELATIONS, *LOGIT_LOSSES])
def test_equal_samples_have_a_finite_loss_and_gradient(name: str) -> None:
    student = torch.ones(3, 2, 1, 1, requires_grad=True)
    teacher = torch.randn(3, 2, 1, 1)
    if name in RELATIONS:
        loss = RELATIONS[name](student, teacher)
    else:
        loss = LOGIT_LOSSES[name](student.flatten(1), teacher.flatten(1), torch.zeros(3), 2.0)
    loss.backward()
    assert loss.isfinite()
    assert student.grad is not None
    assert student.grad.isfinite().all()

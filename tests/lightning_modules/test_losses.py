import pytest
import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses

from errors import InputError
from lightning_modules.losses import (
    DISTANCES,
    attention_transfer,
    cosine,
    hinton,
    log_sum,
    match_size,
    normalized_mse,
)


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

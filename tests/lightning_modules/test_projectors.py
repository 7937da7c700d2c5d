import pytest
import torch
from torch import nn

from lightning_modules import projectors
from lightning_modules.projectors import (
    MLP,
    AttentionPooling,
    Ensemble,
    Identity,
    Orthogonal,
    Projector,
    ProjectorFactory,
)

DESIGNS = [
    getattr(projectors, name)
    for name in projectors.__all__
    if name not in ("Projector", "ProjectorFactory", "Identity")
]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("widths", [(6, 10), (10, 6), (8, 8)])
def test_maps_and_vectors_come_out_at_the_teachers_width(
    design: ProjectorFactory, widths: tuple[int, int]
) -> None:
    projector = design(*widths)
    student, teacher = widths
    map_ = projector(torch.randn(4, student, 3, 3))
    assert map_.shape == ((4, teacher) if design is AttentionPooling else (4, teacher, 3, 3))
    assert projector(torch.randn(4, student)).shape == (4, teacher)
    map_.square().sum().backward()
    assert all(p.grad is not None for p in projector.parameters())
    projector.zero_grad(set_to_none=True)
    projector(torch.randn(4, student)).square().sum().backward()
    assert all(p.grad is not None for p in projector.parameters())


@pytest.mark.parametrize("design", [d for d in DESIGNS if d is not AttentionPooling])
def test_a_vector_is_a_map_of_one_position(design: ProjectorFactory) -> None:
    projector = design(6, 10).eval()
    z = torch.randn(4, 6, 1, 1)
    torch.testing.assert_close(projector(z.flatten(1)), projector(z).flatten(1))


def test_identity_is_the_students_feature() -> None:
    z = torch.randn(2, 6, 3, 3)
    assert torch.equal(Identity(6, 6)(z), z)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_an_mlp_has_the_hidden_layers_asked_for(layers: int) -> None:
    projector = MLP(6, 10, hidden_layers=layers)
    assert sum(isinstance(m, nn.ReLU) for m in projector.modules()) == layers


@pytest.mark.parametrize("widths", [(6, 10), (10, 6)])
def test_the_orthogonal_projector_stays_so_while_it_learns(widths: tuple[int, int]) -> None:
    projector = Orthogonal(*widths)
    optimizer = torch.optim.AdamW(projector.parameters(), 0.1)
    for _ in range(20):
        projector(torch.randn(4, widths[0])).pow(3).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    out = projector(torch.eye(widths[0]))
    gram = out.T @ out if widths[0] > widths[1] else out @ out.T
    torch.testing.assert_close(gram, torch.eye(min(widths)), rtol=0, atol=1e-5)


def test_the_members_of_an_ensemble_start_apart() -> None:
    members = Ensemble(6, 10).layers
    first, second, _ = (next(m.parameters()) for m in members)  # type: ignore[union-attr]
    assert not torch.equal(first, second)


def test_attention_begins_as_the_mean_and_learns_where_to_look() -> None:
    projector = AttentionPooling(6, 10)
    z = torch.randn(4, 6, 3, 3)
    torch.testing.assert_close(projector(z), projector(z.mean(dim=(2, 3))))
    projector(z).square().sum().backward()
    assert projector.query.grad is not None
    assert projector.query.grad.abs().max() > 0


def test_every_design_is_a_projector() -> None:
    assert all(issubclass(design, Projector) for design in DESIGNS)

"""The Fisher information of softmax regression is known."""

from __future__ import annotations

import pytest
import torch

from shared_models.fisher import IMAGES, fisher_diagonal


def regression(*rows: float) -> torch.nn.Sequential:
    """Logits are the rows times the only pixel."""
    made = torch.nn.Linear(1, len(rows), bias=False)
    made.weight = torch.nn.Parameter(torch.tensor(rows)[:, None])
    return torch.nn.Sequential(torch.nn.Flatten(), made)


def pictures(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1)


def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_of_an_undecided_network_it_is_a_quarter_of_the_squared_pixels() -> None:
    found = fisher_diagonal(regression(0.0, 0.0), pictures(1.0, 3.0), [0, 1], random())
    assert found["1.weight"].flatten().tolist() == pytest.approx([(0.25 + 9 * 0.25) / 2] * 2)


def test_of_a_decided_network_it_is_the_variance_of_its_answer() -> None:
    found = fisher_diagonal(regression(1.0, 0.0), pictures(*[1.0] * IMAGES), [0, 1], random())
    p = torch.sigmoid(torch.tensor(1.0))
    assert found["1.weight"].flatten().tolist() == pytest.approx([float(p * (1 - p))] * 2, rel=0.15)


def test_classes_outside_the_columns_do_not_matter_nor_weights_that_are_frozen() -> None:
    network = regression(0.0, 0.0, 5.0)
    assert float(fisher_diagonal(network, pictures(1.0), [0, 1], random())["1.weight"][2]) == 0.0
    network.requires_grad_(False)
    network.append(torch.nn.Linear(3, 2))
    assert set(fisher_diagonal(network, pictures(1.0), [0, 1], random())) == {"2.weight", "2.bias"}


def test_the_generator_decides_and_so_many_images_are_enough() -> None:
    many = pictures(*torch.linspace(-1, 1, IMAGES + 50).tolist())
    network = regression(1.0, 0.0)
    one, other = (fisher_diagonal(network, many[:count], [0, 1], random())["1.weight"] for count in (IMAGES, len(many)))
    assert torch.equal(one, other)

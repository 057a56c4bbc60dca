"""Of two clips in a row each comes to know the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.clip_changes import Changes
from shared_models.clip_encoder import clip_encoder, encoded
from shared_models.clip_windows import Clips, scaled_greys
from shared_models.info_nce import info_nce
from shared_models.recipe import Recipe
from shared_models.retrieval_training import FOUND, INFO_NCE, ContrastiveTask, codes, halves
from shared_models.training import train

SIDE = 16


def _windows(count: int, seed: int = 0, side: int = SIDE) -> Clips:
    """Stripes of a width and a slant of its own each, which wander from frame to frame."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    found = []
    for _ in range(count):
        pitch, slant = random.uniform(2, 6), random.uniform(-1, 1)
        shift = random.uniform(0, 1) + 0.02 * np.arange(10)[:, None, None]
        wave = np.sin(2 * np.pi * (pitch * (columns + slant * rows) + shift))
        found.append((wave * 60 + 128 + random.normal(0, 10, wave.shape)).clip(0, 255).astype(np.uint8))
    return np.stack(found)


def _network(seed: int = 0) -> torch.nn.ModuleDict:
    torch.manual_seed(seed)
    return clip_encoder(width=4, dense=16, projected=16, levels=2, stride=2, cells=2)


def test_it_learns_which_clips_belong_together() -> None:
    network = _network()
    task = ContrastiveTask(network, _windows(32), _windows(24, seed=1), changes=Changes(chance=0.5, together=True))
    before = task.validate()
    train(task, Recipe(epochs=8, batch=16, rate=3e-3, seed=0, optimiser="adam", metric=FOUND), device="cpu")
    after = task.validate()
    assert after[FOUND] > max(0.6, before[FOUND])
    assert after[INFO_NCE] < before[INFO_NCE]


def _seen(sweeps: list[int], rows: list[int], beside: int) -> int:
    """How many windows a batch has."""
    seen: list[int] = []

    def noted(_network: torch.nn.Module, shown: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        seen.append(len(shown) // 2)
        return logits.new_zeros(())

    task = ContrastiveTask(_network(), _windows(len(sweeps)), sweeps=np.array(sweeps), beside=beside, penalty=noted)
    task.loss(np.array(rows), torch.Generator().manual_seed(0), torch.device("cpu"))
    return seen[0]


@pytest.mark.parametrize(
    ("sweeps", "rows", "beside", "expected"),
    [
        ([1, 1, 2, 2, 3, 3], [0, 2, 4], 1, 6),
        ([1, 2, 3, 4, 5, 6], [0, 2, 4], 1, 3),
        ([1, 1, 1, 1, 2, 2], [0, 4], 3, 6),
        ([1, 1, 1, 1, 2, 2], [0, 4], 2, 5),
        ([1, 1, -1, -1, 2, 2], [0, 4], 3, 4),
        ([1, 1, -1, -1, 2, 2], [2, 4], 3, 5),
    ],
)
def test_windows_have_others_of_their_sweep_beside_them(
    sweeps: list[int], rows: list[int], beside: int, expected: int
) -> None:
    assert _seen(sweeps, rows, beside) == expected


@pytest.mark.parametrize("temperature", [0.03, 0.1])
def test_the_loss_is_of_the_temperature_asked_for(temperature: float) -> None:
    network, shown = _network(), _windows(6)
    task = ContrastiveTask(network, shown, shown, changes=Changes(chance=0.0), temperature=temperature)
    first, second = (torch.from_numpy(codes(network, half)).float() for half in halves(shown))
    expected = float(info_nce(first, second, temperature))
    assert task.validate()[INFO_NCE] == pytest.approx(expected, rel=1e-4)
    network.eval()
    learnt = task.loss(np.arange(6), torch.Generator().manual_seed(0), torch.device("cpu"))
    assert learnt.item() == pytest.approx(expected, rel=1e-3)


def test_a_penalty_is_added() -> None:
    def loss(penalty: float) -> float:
        def added(_network: torch.nn.Module, _shown: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
            return logits.new_full((), penalty)

        task = ContrastiveTask(_network(), _windows(4), penalty=added)
        return task.loss(np.arange(4), torch.Generator().manual_seed(0), torch.device("cpu")).item()

    assert loss(2.0) == pytest.approx(loss(0.0) + 2.0, rel=1e-5)


def test_codes_are_what_the_network_says_and_leave_it_as_it_was() -> None:
    network, clips = _network().train(), _windows(70)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = codes(network, clips)
    assert network.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    told = encoded(network.eval(), torch.from_numpy(scaled_greys(clips))).detach().numpy()
    assert np.allclose(found, told, atol=1e-4)


def test_halves() -> None:
    first, second = halves(_windows(2))
    assert first.shape == second.shape == (2, 5, SIDE, SIDE)


def test_without_validation_there_is_no_figure() -> None:
    assert ContrastiveTask(_network(), _windows(2)).validate() == {}
    assert ContrastiveTask(_network(), _windows(2), _windows(1)).validate() == {}


def test_what_cannot_be_learnt_from() -> None:
    with pytest.raises(ValueError, match=r"windows \(2, 9, 16, 16\) are not"):
        ContrastiveTask(_network(), _windows(2)[:, :9])
    with pytest.raises(ValueError, match="2 windows of 3 sweeps"):
        ContrastiveTask(_network(), _windows(2), sweeps=np.arange(3))

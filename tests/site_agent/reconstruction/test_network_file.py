"""A network comes out of its file as it went in, and out of no other."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from federated.errors import ConsiliumError
from shared_models.checkpoint import write_checkpoint
from shared_models.reconstruction.reconstruction_training import reconstructed
from site_agent.reconstruction.network_file import NetworkCard, read_network
from tests.site_agent.reconstruction.heart_making import CARD, TINY, example, network, written

PLACES = 40


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("network") / "heart.safetensors")


def test_it_answers_as_before(file: Path) -> None:
    saved, heart = read_network(file), example()
    assert saved.card == CARD
    shown = {view: heart.planes[heart.views.index(view)] for view in ("A2C", "A4C")}
    both = [heart.views.index(view) for view in ("A4C", "A2C")]
    one = type("Two", (), {"views": ("A4C", "A2C"), "planes": heart.planes[both]})()
    np.testing.assert_array_equal(saved.volume(shown), reconstructed(network(), [one])[0])


def test_a_missing_view_is_borne_and_a_strange_one_refused(file: Path) -> None:
    saved, heart = read_network(file), example()
    assert saved.volume({"A4C": heart.planes[6]}).shape == (32, 32, 32)
    with pytest.raises(ValueError, match="not built for view 'PLAX'"):
        saved.volume({"PLAX": heart.planes[1]})
    with pytest.raises(ValueError, match="no view is given"):
        saved.volume({})


def test_one_turned_bit_anywhere_is_found(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    broken = tmp_path / "broken.safetensors"
    for place in np.linspace(8, len(data) - 1, PLACES).astype(int).tolist():
        broken.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        with pytest.raises(ConsiliumError) as error:
            read_network(broken)
        assert str(error.value).startswith(f"{broken}: ")


def test_a_cut_file_and_other_files_are_one_line(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:5000])
    other = tmp_path / "other.safetensors"
    write_checkpoint(other, {"weight": torch.zeros(2)}, {"epoch": 3})
    pickled = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, pickled)
    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickled.getvalue())
    for path, told in (
        (cut, "is damaged, or holds no network"),
        (other, "holds weights of something else"),
        (plain, "is damaged, or holds no network"),
        (tmp_path / "none.safetensors", "there is no such file"),
    ):
        with pytest.raises(ConsiliumError) as error:
            read_network(path)
        assert str(error.value).startswith(f"{path}: {told}")
        assert "consilium phantom reconstructor" in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": 48}, "a reconstruction of size 48"),
        ({"bottleneck": 10**9}, "a reconstruction of bottleneck"),
        ({"views": "A4C,A4C"}, "is given twice"),
        ({"size": 64}, "tensor"),
        ({"width": 3}, "width"),
    ],
)
def test_weights_that_do_not_fit_what_is_said_are_one_line(tmp_path: Path, change: dict[str, int], told: str) -> None:
    path = tmp_path / "heart.safetensors"
    card = CARD.model_dump() | {"network": TINY | change}
    write_checkpoint(path, network().state_dict(), NetworkCard.model_validate(card).model_dump())
    with pytest.raises(ConsiliumError, match=told):
        read_network(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path, state = tmp_path / "heart.safetensors", network().state_dict()
    name = next(name for name in state if name.endswith("weight"))
    state[name][(0,) * state[name].ndim] = float("nan")
    write_checkpoint(path, state, CARD.model_dump())
    with pytest.raises(ConsiliumError, match=f"tensor {name} holds values that are no numbers"):
        read_network(path)


def test_it_is_not_written_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="cannot be written"):
        written(tmp_path / "none" / "heart.safetensors")

"""Each layer doubles the side; what the merger scores ends with the coarse volume itself."""

from __future__ import annotations

import pytest
import torch

from shared_models.reconstruction.decoder import Decoder


@pytest.mark.parametrize("layers", [1, 3, 4])
def test_a_volume_and_what_it_was_made_of(layers: int) -> None:
    decoder = Decoder(16, (8,) * layers).eval()
    coarse, raw = decoder(torch.rand(2, 2, 8, 8))
    edge = 2 ** (layers + 1)
    assert coarse.shape == (2, 1, edge, edge, edge)
    assert raw.shape == (2, 9, edge, edge, edge)
    assert torch.equal(raw[:, 8:], coarse)
    assert torch.equal(decoder.last(raw[:, :8]).sigmoid(), coarse)

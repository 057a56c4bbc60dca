"""What says whether two clips show the same view, from what a frozen encoder says of them (muscle views, c.3).

Published: the encoder reads both clips in a row, so that a mean over time of both is all that the head is given; it can
tell whether both are standard views, and hardly compare them. Ours is given where the two codes differ and agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.clip_changes import erased_copies
from shared_models.clip_encoder import projected_means
from shared_models.clip_windows import Clips, Rows
from shared_models.retrieval_pairs import Pairs
from shared_models.retrieval_training import AT_ONCE, Codes, means

if TYPE_CHECKING:
    import torch

ACCURACY = "accuracy"
SAME, OTHER = 0, 1  # columns of the logits, in the authors' order
Reading = Callable[[Rows, Rows], "torch.Tensor"]
"""(b, D) of pairs of clips by number."""


class HeadTask:
    """Cross-entropy on pairs.

    Attributes:
        network: (b, D) to (b, 2) logits.
        examples: how many pairs.
    """

    def __init__(
        self, network: torch.nn.Module, reading: Reading, train: Pairs, validation: Pairs | None = None
    ) -> None:
        self.network, self.examples = network, len(train.same)
        self._reading, self._train, self._validation = reading, train, validation

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:  # noqa: ARG002
        """Of pairs by number."""
        import torch

        logits = self.network(self._reading(self._train.first[rows], self._train.second[rows]).to(device))
        wanted = np.where(self._train.same[rows], SAME, OTHER)
        return torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted).to(device))

    def validate(self) -> Mapping[str, float]:
        """The accuracy at 0.5, if there is anything to validate on."""
        held = self._validation
        if held is None or not len(held.same):
            return {}
        said = same_view(self.network, self._reading, held.first, held.second) > 1 / 2
        return {ACCURACY: float(np.mean(said == held.same))}


def same_view(network: torch.nn.Module, reading: Reading, first: Rows, second: Rows) -> NDArray[np.float64]:
    """(n,) probabilities that pairs of clips show the same view, the network in evaluation mode."""
    import torch

    network.eval()
    device = next(network.parameters()).device
    parts = [np.zeros((0, 2))]
    with torch.no_grad():
        for begin in range(0, len(first), 8 * AT_ONCE):
            some = slice(begin, begin + 8 * AT_ONCE)
            parts.append(network(reading(first[some], second[some]).to(device)).softmax(dim=1).cpu().numpy())
    return np.concatenate(parts)[:, SAME].astype(np.float64)


def in_a_row(encoder: torch.nn.Module, seen: Codes) -> Reading:
    """As published: the code of both clips in a row, from what the encoder sees in each (n, F) on average."""
    import torch

    encoder.eval()
    rows = torch.from_numpy(seen).float()

    def read(first: Rows, second: Rows) -> torch.Tensor:
        with torch.no_grad():
            return projected_means(encoder, (rows[first] + rows[second]) / 2)

    return read


def compared(said: Codes) -> Reading:
    """Ours: of codes (n, d) at length one, how far they differ in each value and how far they agree, (b, 2 d)."""
    import torch

    rows = torch.nn.functional.normalize(torch.from_numpy(said).float()) * said.shape[1] ** 0.5

    def read(first: Rows, second: Rows) -> torch.Tensor:
        return torch.cat([(rows[first] - rows[second]).abs(), rows[first] * rows[second]], dim=1)

    return read


def tripled(clips: Clips, seed: int) -> Clips:
    """(3 n, T, S, S): the clips, then erased, then mirrored copies."""
    return np.concatenate([clips, erased_copies(clips, seed), clips[:, :, :, ::-1]])


def tripled_pairs(pairs: Pairs, clips: int) -> Pairs:
    """Pairs of so many clips, of their erased and of their mirrored copies."""
    first, second = (np.concatenate([rows + copy * clips for copy in range(3)]) for rows in (pairs.first, pairs.second))
    return Pairs(first, second, np.tile(pairs.same, 3))


def published_head(encoder: torch.nn.Module) -> torch.nn.Module:
    """For what `in_a_row` reads."""
    from shared_models.clip_encoder import retrieval_head

    return retrieval_head(int(encoder.get_submodule("projection.4").num_features))  # type: ignore[arg-type]


def comparing_head(size: int, hidden: tuple[int, ...] = (128, 32)) -> torch.nn.Module:
    """For what `compared` reads of codes of a size; small, since there are few patients."""
    from shared_models.clip_encoder import retrieval_head

    return retrieval_head(2 * size, hidden)


def published_reading(encoder: torch.nn.Module, clips: Clips) -> Reading:
    """`in_a_row` of (n, T, S, S) clips."""
    return in_a_row(encoder, means(encoder, clips))

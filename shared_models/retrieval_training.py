"""How the encoder of clips is learnt without labels: of two clips in a row each is to know the other (c.2).

A pair are the two halves of a window, each with a block of it blackened and mirrored with a chance of 0.8. Two defects
of the published code are left out: its mirroring is assigned to a name and lost, and its validation is empty. Mirroring
each half for itself, as was meant, makes left and right alike; ours mirrors both halves or neither. Ours also sets
beside every window of a batch another of the same sweep, from which it is hard to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.clip_encoder import encoded
from shared_models.clip_windows import Clips, Rows, scaled_greys
from shared_models.info_nce import info_nce

if TYPE_CHECKING:
    import torch

    from shared_models.continual import Penalty

Codes = NDArray[np.float64]
INFO_NCE, FOUND = "info_nce", "found"
ERASED_SHARE = 10 / 64  # of an edge
AT_ONCE = 64  # clips in one pass


@dataclass(frozen=True)
class Changes:
    """What is done to the clips of a pair at random.

    Attributes:
        chance: of each change of each clip.
        together: whether both clips of a pair are mirrored or neither, so that left and right stay apart.
    """

    chance: float = 0.8
    together: bool = False


PUBLISHED, OURS = Changes(), Changes(chance=0.5, together=True)


class ContrastiveTask:
    """What `training.train` learns: windows, by number.

    Attributes:
        network: a clip encoder.
        examples: n.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        train: Clips,
        validation: Clips | None = None,
        *,
        changes: Changes = PUBLISHED,
        sweeps: Rows | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        """From windows.

        Args:
            network: see above; changed in place.
            train: (n, 2 T, S, S), two clips in a row each.
            validation: of other patients; None for nothing.
            changes: at random.
            sweeps: (n,) of which sweep a window is; every batch then has as many windows more, another of the same
                sweep for each. None for batches of what they are given.
            penalty: what is added to the loss (`continual.Penalty`, as FedProx's), given the network, the clips as it
                saw them and its codes; None for nothing.

        Raises:
            ValueError: windows that cannot be halved, or sweeps of another number.
        """
        for given in (train, validation):
            if given is not None and (given.ndim != 4 or given.shape[1] % 2 or not given.shape[1]):
                raise ValueError(f"windows {given.shape} are not (n, 2 T, S, S)")
        if sweeps is not None and len(sweeps) != len(train):
            raise ValueError(f"{len(train)} windows of {len(sweeps)} sweeps")
        self.network, self.examples, self.penalty = network, len(train), penalty
        self._train, self._validation, self._changes = train, validation, changes
        self._others = None if sweeps is None else [_others(sweeps, row) for row in range(len(train))]

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Symmetric InfoNCE of windows by number, changed, and the penalty."""
        import torch

        first, second = changed_halves(self._train[self._with_others(rows, generator)], self._changes, generator)
        clips = torch.cat([first, second]).to(device)
        codes = encoded(self.network, clips)
        loss = info_nce(codes[: len(first)], codes[len(first) :])
        return loss if self.penalty is None else loss + self.penalty(self.network, clips, codes)

    def _with_others(self, rows: Rows, generator: torch.Generator) -> Rows:
        """The rows, and for each another of its sweep; none twice."""
        import torch

        if self._others is None:
            return rows
        drawn = torch.rand(len(rows), generator=generator).tolist()
        others = [self._others[row][int(draw * len(self._others[row]))] for row, draw in zip(rows, drawn, strict=True)]
        return np.unique(np.concatenate([rows, np.array(others, dtype=np.int64)]))

    def validate(self) -> Mapping[str, float]:
        """The loss over all windows as they are, and the share of them whose second half is found by the first."""
        import torch

        if self._validation is None or len(self._validation) < 2:
            return {}
        first, second = (torch.from_numpy(codes(self.network, half)) for half in halves(self._validation))
        nearest = (torch.nn.functional.normalize(first) @ torch.nn.functional.normalize(second).T).argmax(dim=1)
        found = (nearest == torch.arange(len(first))).double().mean()
        return {INFO_NCE: float(info_nce(first, second)), FOUND: float(found)}


def _others(sweeps: Rows, row: int) -> Rows:
    """Windows of the same sweep; itself where there is no other."""
    own = np.flatnonzero(sweeps == sweeps[row])
    return own[own != row] if len(own) > 1 else own


def halves(windows: Clips) -> tuple[Clips, Clips]:
    """(n, T, S, S) each, of (n, 2 T, S, S)."""
    middle = windows.shape[1] // 2
    return windows[:, :middle], windows[:, middle:]


def changed_halves(windows: Clips, changes: Changes, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, T, S, S) each in [0, 1], with a block blackened and mirrored left to right at random."""
    import torch

    first, second = (torch.from_numpy(scaled_greys(half)) for half in halves(windows))
    draws = [torch.rand(len(windows), generator=random) < changes.chance for _ in range(2)]
    if changes.together:
        draws = [torch.rand(len(windows), generator=random) < 0.5] * 2
    return (
        erased(mirrored(first, draws[0]), changes.chance, random),
        erased(mirrored(second, draws[1]), changes.chance, random),
    )


def mirrored(clips: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """(n, T, S, S), those that are chosen (n,) left to right."""
    import torch

    return torch.where(chosen.view(-1, 1, 1, 1), clips.flip(-1), clips)


def erased(clips: torch.Tensor, chance: float, random: torch.Generator) -> torch.Tensor:
    """(n, T, S, S) with a square block black in all frames of some of them; 10 of 64 pixels along each edge."""
    import torch

    count, side = len(clips), clips.shape[-1]
    edge = max(1, round(ERASED_SHARE * side))
    line = torch.arange(side)
    rows, columns = (
        ((line >= begin) & (line < begin + edge))
        for begin in torch.randint(side - edge + 1, (2, count, 1), generator=random)
    )
    there = rows[:, :, None] & columns[:, None, :] & (torch.rand(count, 1, 1, generator=random) < chance)
    return clips.masked_fill(there.unsqueeze(1), 0)


def erased_copies(clips: Clips, seed: int) -> Clips:
    """(n, T, S, S) with a block black in each."""
    import torch

    random = torch.Generator().manual_seed(seed)
    return erased(torch.from_numpy(clips), 1.0, random).numpy()


def codes(network: torch.nn.Module, clips: Clips) -> Codes:
    """(n, projected) of (n, T, S, S) clips of any length, the network in evaluation mode."""
    return _in_parts(network, clips, encoded)


def means(network: torch.nn.Module, clips: Clips) -> Codes:
    """(n, F), as of `clip_encoder.clip_means`."""
    from shared_models.clip_encoder import clip_means

    return _in_parts(network, clips, clip_means)


def _in_parts(network: torch.nn.Module, clips: Clips, of: Callable[..., torch.Tensor]) -> Codes:
    import torch

    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    try:
        with torch.no_grad():
            parts = [
                of(network, torch.from_numpy(scaled_greys(clips[begin : begin + AT_ONCE])).to(device)).cpu().numpy()
                for begin in range(0, len(clips), AT_ONCE)
            ]
    finally:
        network.train(was_training)
    return np.concatenate(parts).astype(np.float64)

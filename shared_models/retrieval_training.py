"""How the encoder of clips is learnt without labels: of two clips in a row each is to know the other (c.2).

A pair are the two halves of a window, each with a block of it blackened and mirrored with a chance of 0.8. Two defects
of the published code are left out: its mirroring is assigned to a name and lost, and its validation is empty. Mirroring
each half for itself, as was meant, makes left and right alike; ours mirrors both halves or neither. Ours also sets
beside every window of a batch others of the same sweep, from which it is hard to tell, and lets halves come from two
visits where somebody has said that both show the standard view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.clip_changes import PUBLISHED, Changes, changed
from shared_models.clip_encoder import clip_means, encoded
from shared_models.clip_windows import Clips, Rows, scaled_greys
from shared_models.info_nce import TEMPERATURE, info_nce

if TYPE_CHECKING:
    import torch

    from shared_models.continual import Penalty

Codes = NDArray[np.float64]
INFO_NCE, FOUND = "info_nce", "found"
AT_ONCE = 64  # clips in one pass


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
        beside: int = 1,
        temperature: float = TEMPERATURE,
        penalty: Penalty | None = None,
    ) -> None:
        """From windows.

        Args:
            network: see above; changed in place.
            train: (n, 2 T, S, S), two clips in a row each.
            validation: of other patients; None for nothing.
            changes: at random.
            sweeps: (n,) of which sweep a window is, from 1, for batches with others of the same sweep beside each; one
                of sweep -s has those of s beside it, and is set beside none. None for batches of what they are given.
            beside: how many, where there are so many.
            temperature: of the loss; the lower, the more what is hardest to tell apart counts.
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
        self._sweeps, self._beside, self._temperature = sweeps, beside, temperature

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Symmetric InfoNCE of windows by number, changed, and the penalty."""
        import torch

        shown = halves(self._train[self._with_others(rows, generator)])
        first, second = changed(*shown, self._changes, generator)
        clips = torch.cat([first, second]).to(device)
        codes = encoded(self.network, clips)
        loss = info_nce(codes[: len(first)], codes[len(first) :], self._temperature)
        return loss if self.penalty is None else loss + self.penalty(self.network, clips, codes)

    def _with_others(self, rows: Rows, generator: torch.Generator) -> Rows:
        """The rows, and others of their sweeps; none twice."""
        import torch

        if self._sweeps is None:
            return rows
        found = [rows]
        for row in rows:
            others = np.flatnonzero(self._sweeps == abs(self._sweeps[row]))
            others = others[others != row]
            found.append(others[torch.randperm(len(others), generator=generator)[: self._beside].numpy()])
        return np.unique(np.concatenate(found))

    def validate(self) -> Mapping[str, float]:
        """The loss over all windows as they are, and the share of them whose second half is found by the first."""
        import torch

        if self._validation is None or len(self._validation) < 2:
            return {}
        first, second = (torch.from_numpy(codes(self.network, half)) for half in halves(self._validation))
        nearest = (torch.nn.functional.normalize(first) @ torch.nn.functional.normalize(second).T).argmax(dim=1)
        found = (nearest == torch.arange(len(first))).double().mean()
        return {INFO_NCE: float(info_nce(first, second, self._temperature)), FOUND: float(found)}


def halves(windows: Clips) -> tuple[Clips, Clips]:
    """(n, T, S, S) each, of (n, 2 T, S, S)."""
    middle = windows.shape[1] // 2
    return windows[:, :middle], windows[:, middle:]


def codes(network: torch.nn.Module, clips: Clips) -> Codes:
    """(n, projected) of (n, T, S, S) clips of any length, the network in evaluation mode."""
    return _in_parts(network, clips, encoded)


def means(network: torch.nn.Module, clips: Clips) -> Codes:
    """(n, F), as of `clip_encoder.clip_means`."""
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

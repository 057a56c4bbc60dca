"""What the retrieval of muscle views is compared with (c.4): a network taught on pairs alone, and cross-correlation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.clip_changes import erased, mirrored
from shared_models.clip_encoder import encoded
from shared_models.clip_windows import Clips, Rows, scaled_greys
from shared_models.retrieval_head import ACCURACY, OTHER, SAME
from shared_models.retrieval_pairs import Pairs
from shared_models.retrieval_training import codes

if TYPE_CHECKING:
    import torch

CHANCE = 0.5  # of each change


def pair_network(encoder: torch.nn.Module, projected: int) -> torch.nn.ModuleDict:
    """``encoder``, seen by both clips, and ``head``: both codes beside each other to two logits.

    The published code cuts its logits off below nought; left out here.
    """
    from torch import nn

    return nn.ModuleDict({"encoder": encoder, "head": nn.Linear(2 * projected, 2)})


class SupervisedTask:
    """Cross-entropy on pairs of clips, all of the network learning.

    Attributes:
        network: of `pair_network`.
        examples: how many pairs.
    """

    def __init__(self, network: torch.nn.Module, clips: Clips, train: Pairs, validation: Pairs | None = None) -> None:
        self.network, self.examples = network, len(train.same)
        self._clips, self._train, self._validation = clips, train, validation

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Of pairs by number, both clips mirrored or neither, a block of each blackened or not."""
        import torch

        both = np.concatenate([self._train.first[rows], self._train.second[rows]])
        clips = torch.from_numpy(scaled_greys(self._clips[both]))
        turned = (torch.rand(len(rows), generator=generator) < CHANCE).repeat(2)
        clips = erased(mirrored(clips, turned), CHANCE, generator).to(device)
        first, second = encoded(self.network.get_submodule("encoder"), clips).chunk(2)
        logits = self.network.get_submodule("head")(torch.cat([first, second], dim=1))
        wanted = np.where(self._train.same[rows], SAME, OTHER)
        return torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted).to(device))

    def validate(self) -> Mapping[str, float]:
        """The accuracy at 0.5, if there is anything to validate on."""
        held = self._validation
        if held is None or not len(held.same):
            return {}
        said = supervised_scores(self.network, self._clips)(held.first, held.second) > 1 / 2
        return {ACCURACY: float(np.mean(said == held.same))}


Scores = Callable[[Rows, Rows], NDArray[np.float64]]


def supervised_scores(network: torch.nn.Module, clips: Clips) -> Scores:
    """Probabilities that pairs of (n, T, S, S) clips, by number, show the same view."""
    import torch

    network.eval()
    said = torch.from_numpy(codes(network.get_submodule("encoder"), clips)).float()
    head = network.get_submodule("head")

    def scores(first: Rows, second: Rows) -> NDArray[np.float64]:
        with torch.no_grad():
            logits = head(torch.cat([said[first], said[second]], dim=1))
        return np.asarray(logits.softmax(dim=1)[:, SAME].numpy(), dtype=np.float64)

    return scores


def correlation_scores(clips: Clips, smooth: float = 0.0, shift: int = 0) -> Scores:
    """Normalised cross-correlation of the first frames of pairs of (n, T, S, S) clips, by number.

    Args:
        clips: see above.
        smooth: deviation in pixels by which frames are blurred; 0 as published.
        shift: pixels by which the second may be moved at most along either axis, the best counts; 0 as published.
    """
    from scipy.ndimage import gaussian_filter

    frames = clips[:, 0].astype(np.float32)
    if smooth:
        frames = gaussian_filter(frames, (0, smooth, smooth))
    side = frames.shape[1]

    def cut(rows: Rows, down: int, right: int) -> NDArray[np.float32]:
        inner = frames[rows, shift + down : side - shift + down, shift + right : side - shift + right]
        flat = inner.reshape(len(rows), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))

    def scores(first: Rows, second: Rows) -> NDArray[np.float64]:
        fixed, moves = cut(first, 0, 0), range(-shift, shift + 1, max(1, shift // 2))
        each = [(fixed * cut(second, down, right)).sum(axis=1) for down in moves for right in moves]
        return np.max(each, axis=0).astype(np.float64)

    return scores

"""The loop that a user of PyTorch writes: batches from a loader, one step of Adam each; the same for asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.throughput_subjects import Subject

if TYPE_CHECKING:
    import torch

Batch = Mapping[str, Any]
RATE = 1e-3


class Peer:
    """A network that learns and answers in a loop of its own."""

    def __init__(self, subject: Subject, network: Any, loader: Iterable[Batch], asked: Iterable[Batch]) -> None:
        """For a network.

        Args:
            subject: what is measured.
            network: changed in place.
            loader: of augmented batches: ``image`` (b, 1, S, S), and what is to be learnt.
            asked: of batches as they are.
        """
        import torch

        self._subject, self._network, self._loader, self._asked = subject, network, loader, asked
        self._optimiser = torch.optim.Adam(network.parameters(), lr=RATE)

    def learn(self) -> None:
        """All images once."""
        self._network.train()
        for batch in self._loader:
            loss = loss_of(self._subject, self._network, batch)
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            loss.item()

    def load(self) -> None:
        """All batches as for learning, but the network sees none of them."""
        for _ in self._loader:
            pass

    def ask(self) -> None:
        """All images once."""
        import torch

        from shared_models.contour_network import said

        self._network.eval()
        with torch.no_grad():
            for batch in self._asked:
                if self._subject.kind == "contours":
                    heads = said(self._network, batch["image"])
                    _ = heads.points.numpy(), heads.distance.numpy()
                else:
                    self._network(batch["image"]).softmax(dim=1).numpy()


def loss_of(subject: Subject, network: Any, batch: Batch) -> torch.Tensor:
    """The same as the subject's task has."""
    import torch
    from monai.losses import DiceCELoss

    from shared_models import contour_training
    from shared_models.contour_network import said

    if subject.kind == "contours":
        heads = said(network, batch["image"])
        step = batch["distance"].shape[-1] // heads.distance.shape[-1]
        near, points = batch["distance"][..., ::step, ::step], batch["points"].float()
        return contour_training.loss_of(heads, points, near, contour_training.Strengths())
    if subject.kind == "masks":
        found: torch.Tensor = DiceCELoss(to_onehot_y=True, softmax=True)(network(batch["image"]), batch["mask"])
        return found
    return torch.nn.functional.cross_entropy(network(batch["image"]), batch["label"])

"""Learning without forgetting: on new images, the network shall still say what it said before.

Li and Hoiem (ECCV 2016): the answers of the old network on the pictures of a step, softened by a temperature T, are
targets of the new one beside the labels: T^2 KL(softmax(old / T) || softmax(new / T)), over the labels that the old
network knew. At T^2 the gradient does not vanish with T (Hinton et al., 2015). No old image is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

TEMPERATURE = 2.0  # of Li and Hoiem
STRENGTHS = (0.3, 1.0, 3.0)  # around the 1 of Li and Hoiem


@dataclass(frozen=True)
class Distillation:
    """What is added to the loss.

    Attributes:
        old: the network as it was, in evaluation mode; its columns are the first of the new one.
        strength: of what is added.
        temperature: T.
    """

    old: torch.nn.Module
    strength: float
    temperature: float = TEMPERATURE

    def __call__(self, network: torch.nn.Module, shown: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """The mean over (b, 1, S, S) pictures, of which the new network says (b, C) logits."""
        import torch
        from torch.nn import functional

        with torch.no_grad():
            before = self.old.to(shown.device)(shown) / self.temperature
        now = logits[:, : before.shape[1]] / self.temperature
        apart = functional.kl_div(
            functional.log_softmax(now, 1), functional.log_softmax(before, 1), reduction="batchmean", log_target=True
        )
        return self.strength * self.temperature**2 * apart

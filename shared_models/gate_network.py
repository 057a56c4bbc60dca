"""The gated fusion as a network that learns: cross heads and gate; the experts are frozen (Bransby et al., steps 7-11).

    u_jj = own logits of expert j, u_jk = W_jk h_k + b_jk, A = softmax(MLP(input)), z_j = sum_k A_k u_jk,
    f_c = max over the label sets j that hold c of z_jc

The own logits are those that were stored, without dropout. The published training kept a dropout of 0.1 on them alone,
which its features had not seen and its answers do not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared_models.consultation import Consultation, Floats, Reads, Rows, read_by

if TYPE_CHECKING:
    import torch

HIDDEN = (64, 16)


@dataclass(frozen=True)
class Form:
    """What a network is made for.

    Attributes:
        sizes: of the label sets, C_k.
        holding: (G, m) which of the S = sum C_k columns hold each merged label, the first repeated where fewer do.
        features: D.
        inputs: of the gate; 0 where it reads nothing.
    """

    sizes: tuple[int, ...]
    holding: Rows
    features: int
    inputs: int

    def columns(self, expert: int) -> tuple[int, int]:
        """Where an expert's own labels begin and end among the S."""
        start = sum(self.sizes[:expert])
        return start, start + self.sizes[expert]


def form_of(consulted: Consultation, reads: Reads) -> Form:
    """The form of a network for these experts.

    Raises:
        ValueError: the gate reads discrepancies, and there are none.
    """
    stacked = np.array(list(chain.from_iterable(consulted.labels)))
    found = [np.flatnonzero(stacked == label) for label in consulted.merged]
    most = max(columns.size for columns in found)
    holding = np.stack([np.pad(columns, (0, most - columns.size), constant_values=columns[0]) for columns in found])
    read = read_by(consulted, reads)
    inputs = 0 if read is None else read.shape[1] * read.shape[2]
    return Form(tuple(map(len, consulted.labels)), holding, consulted.features.shape[2], inputs)


def gate_network(form: Form, seed: int) -> torch.nn.ModuleDict:
    """Cross heads ``heads.{k}`` (expert k's features to the labels of all others) and the gate's layers ``gate.{i}``.

    A single expert has no cross heads. First weights are uniform within 1/sqrt(inputs), drawn from the seed.
    """
    import torch
    from torch import nn

    experts, stacked = len(form.sizes), sum(form.sizes)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        heads = {str(k): nn.Linear(form.features, stacked - form.sizes[k]) for k in range(experts) if experts > 1}
        sizes = (form.inputs, *HIDDEN, experts) if form.inputs else ()
        layers = [nn.Linear(before, after) for before, after in pairwise(sizes)]
    return nn.ModuleDict({"heads": nn.ModuleDict(heads), "gate": nn.ModuleList(layers)})


@dataclass(frozen=True)
class Seen:
    """A batch of b images, zero where an expert did not see one.

    Attributes:
        features: (b, T, D).
        own: (b, S) logits of all experts side by side.
        read: (b, inputs) by the gate; None where it reads nothing.
        present: (b, T).
    """

    features: torch.Tensor
    own: torch.Tensor
    read: torch.Tensor | None
    present: torch.Tensor


def seen(consulted: Consultation, reads: Reads, rows: Rows, device: torch.device) -> Seen:
    """Some images on a device."""
    import torch

    present = consulted.present[rows]
    own = [np.where(present[:, [expert]], logits[rows], 0.0) for expert, logits in enumerate(consulted.logits)]
    source = read_by(consulted, reads)
    read = None if source is None else _flat(source[rows], present)

    def there(array: Floats) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device)

    features = np.where(present[:, :, None], consulted.features[rows], 0.0)
    return Seen(
        there(features),
        there(np.concatenate(own, axis=1)),
        None if read is None else there(read),
        torch.from_numpy(present).to(device),
    )


def gate_weights(network: Any, batch: Seen) -> torch.Tensor:
    """A, (b, T): a softmax over the experts that saw the image; 1 for each of them where the gate reads nothing."""
    if batch.read is None:
        return batch.present.to(batch.features.dtype)
    values = batch.read
    for layer in network["gate"][:-1]:
        values = layer(values).relu()
    scores = network["gate"][-1](values)
    return scores.masked_fill(~batch.present, -float("inf")).softmax(dim=1)


def fused_scores(network: Any, form: Form, batch: Seen) -> torch.Tensor:
    """f, (b, G), of the merged labels."""
    import torch

    weights, mixed = gate_weights(network, batch), torch.zeros_like(batch.own)
    for expert in range(len(form.sizes)):
        start, end = form.columns(expert)
        stack = batch.own
        if len(form.sizes) > 1:
            cross = network["heads"][str(expert)](batch.features[:, expert])
            stack = torch.cat([cross[:, :start], batch.own[:, start:end], cross[:, start:]], dim=1)
        mixed = mixed + weights[:, expert, None] * stack
    return mixed[:, torch.as_tensor(form.holding, device=mixed.device)].amax(dim=2)


def _flat(values: Floats, present: NDArray[np.bool_]) -> Floats:
    return np.where(present[:, :, None], values, 0.0).reshape(values.shape[0], -1)

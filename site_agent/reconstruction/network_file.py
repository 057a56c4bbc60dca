"""A network of reconstruction in one file: its weights, and what it was built for and taught, sealed together.

The file is safetensors. What is said of the weights lies in its metadata, with a digest of both, so that a file that
was cut or changed is refused before a network is built of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from federated.errors import ConsiliumError
from federated.manifest import Frozen
from shared_models.bounds import MOST_BYTES
from shared_models.checkpoint import CheckpointError, read_checkpoint, write_checkpoint

if TYPE_CHECKING:
    from shared_models.reconstruction.view_network import ViewNetwork

SUFFIX = ".safetensors"
HEADING_BYTES = 2**20  # of the file's own, beside the weights
MAKE = "make one with: consilium phantom reconstructor FILE.safetensors"
Planes = Mapping[str, NDArray[np.float32]]


class NetworkCard(Frozen):
    """What a network of reconstruction is.

    Attributes:
        form: of this file.
        network: options of `pix2vox`, its size and views among them; it was shown pictures of walls, grey by chamber.
        target: what its volumes are of.
        cube_mm: edge of the cubes about the hearts that it learnt from, on average.
        hearts: how many it learnt from.
        source: where they came from.
    """

    form: Literal["consilium reconstruction 1"] = "consilium reconstruction 1"
    network: dict[str, bool | int | str]
    target: Literal["walls", "blood pools", "left ventricle"]
    cube_mm: Annotated[float, Field(gt=10, lt=1000)]
    hearts: Annotated[int, Field(ge=1)]
    source: Annotated[str, Field(max_length=200)]


@dataclass(frozen=True)
class SavedNetwork:
    """A network out of a file.

    Attributes:
        card: what the file says of it.
        network: in evaluation mode.
    """

    card: NetworkCard
    network: ViewNetwork

    def volume(self, views: Planes) -> NDArray[np.float32]:
        """(E, E, E) probabilities from (224, 224) greys in [0, 1] by the names of their views.

        Raises:
            ValueError: no view, one that the network was not built for, or a picture of another size.
        """
        from shared_models.reconstruction.reconstruction_training import reconstructed

        planes = np.stack(list(views.values())) if views else np.zeros((0, 0, 0), np.float32)
        return reconstructed(self.network, [_Pictures(tuple(views), planes)])[0]


@dataclass(frozen=True)
class _Pictures:
    views: tuple[str, ...]
    planes: NDArray[np.float32]


def write_network(path: Path, network: ViewNetwork, card: NetworkCard) -> None:
    """The file, whole or not at all.

    Raises:
        ConsiliumError: it cannot be written.
    """
    try:
        write_checkpoint(path, network.state_dict(), card.model_dump(mode="json"))
    except ValueError as error:
        raise ConsiliumError(str(error)) from error


def read_network(path: Path) -> SavedNetwork:
    """What `write_network` wrote.

    Raises:
        ConsiliumError: the file is missing, too large, damaged, none of these, or its weights do not fit.
    """
    if not path.is_file():
        raise ConsiliumError("there is no such file of weights", where=str(path), cure=MAKE)
    if path.stat().st_size > MOST_BYTES + HEADING_BYTES:
        raise ConsiliumError(f"has more than {MOST_BYTES // 2**20} MiB of weights", where=str(path))
    try:
        tensors, said = read_checkpoint(path)
        card = NetworkCard.model_validate(said)
    except CheckpointError as error:
        raise ConsiliumError("is damaged, or holds no network of reconstruction", where=str(path), cure=MAKE) from error
    except ValidationError as error:
        raise ConsiliumError("holds weights of something else", where=str(path), cure=MAKE) from error
    except ValueError as error:
        raise ConsiliumError(str(error)) from error
    return SavedNetwork(card, _built(path, card, {name: tensor.numpy() for name, tensor in tensors.items()}))


def _built(path: Path, card: NetworkCard, state: Mapping[str, NDArray[np.generic]]) -> ViewNetwork:
    from shared_models.reconstruction.pix2vox import pix2vox
    from shared_models.views import load_state

    try:
        for name, values in state.items():
            if not np.isfinite(values).all():
                raise ValueError(f"tensor {name} holds values that are no numbers")
        network = pix2vox(**card.network)  # type: ignore[arg-type]  # which it checks itself
        load_state(network, state)
    except (TypeError, ValueError) as error:
        raise ConsiliumError(f"is no network that can be used ({error})", where=str(path), cure=MAKE) from error
    return network.eval()

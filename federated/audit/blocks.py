"""What a release holds of each site as digests, by which two releases are held against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from federated.contract import Digest, Frozen, Label, Name, Tensors
from federated.manifest import ReleaseManifest, ReleaseSite
from federated.release import coarse_name
from federated.statistics import Array


class Block(Frozen):
    """One site's statistics in a release, over its own labels.

    Attributes:
        labels: that it holds, in the release's order.
        class_sums, weights: digests of the site's (M, labels) class sums and (labels,) sums of weights.
        gram: of its Gram matrix; None where the release does not carry it.
        own_grams: of the Gram matrices of single labels.
        expert: digest of the contribution that holds its network; None where it has none.
    """

    site: Name
    labels: tuple[Label, ...]
    class_sums: Digest
    weights: Digest
    gram: Digest | None
    own_grams: dict[Label, Digest]
    expert: Digest | None


def blocks_of(manifest: ReleaseManifest, tensors: Tensors) -> dict[str, Block]:
    """Every site's block, from the tensors of a release or candidate whose shapes were checked."""
    return dict(_blocks(manifest, tensors))


def _blocks(manifest: ReleaseManifest, tensors: Tensors) -> Iterator[tuple[str, Block]]:
    experts = {card.site: card.contribution for card in manifest.experts}
    for place, site in enumerate(manifest.sites):
        columns = [manifest.labels.index(label) for label in site.labels]
        gram = tensors.get(f"gram.{site.name}")
        yield (
            site.name,
            Block(
                site=site.name,
                labels=site.labels,
                class_sums=_digest(tensors["class_sums"][place][:, columns]),
                weights=_digest(tensors["weights"][place][columns]),
                gram=None if gram is None else _digest(gram),
                own_grams=_own_grams(site, tensors),
                expert=experts.get(site.name),
            ),
        )


def _own_grams(site: ReleaseSite, tensors: Tensors) -> dict[str, str]:
    return {label: _digest(tensors[coarse_name(index, site.name)]) for index, label in enumerate(site.coarse)}


def _digest(array: Array) -> str:
    shape: Sequence[int] = array.shape
    return "sha256:" + hashlib.sha256(f"{list(shape)}".encode() + array.astype("<f8").tobytes()).hexdigest()


def unchanged(before: Block, after: Block) -> list[str]:
    """Names of the parts of a site that are not what they were; nothing where all are.

    A part that one of the two does not carry is not held against the other.
    """
    pairs: list[tuple[str, object, object]] = [
        ("labels", before.labels, after.labels),
        ("class sums", before.class_sums, after.class_sums),
        ("weights", before.weights, after.weights),
        ("Gram matrix", before.gram, after.gram),
        ("expert network", before.expert, after.expert),
        *(
            (f"Gram matrix of '{label}' alone", own, after.own_grams[label])
            for label, own in sorted(before.own_grams.items())
            if label in after.own_grams
        ),
    ]
    return [name for name, one, other in pairs if one is not None and other is not None and one != other]

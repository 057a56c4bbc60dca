"""A hospital of a record that answers by its newest release, tells of it, and opens what is drawn."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from federated.audit.bundle import open_bundle
from federated.audit.record import Record
from federated.deciding import decide_alone
from federated.decision_summary import concepts_of
from federated.draw import Draw
from federated.fused_model import FusedModel
from federated.manifest import SummaryManifest, pack_tensors, parse_manifest, unpack_tensors
from tests.decision_making import Tree, a_flag, a_record, rows, sums, told
from tests.opened_making import an_opened

WIDTH, RECORDS = 24, 6
CLIP = "c" * 32


class Answering:
    """A hospital that answers by the newest release, tells of it, and opens what is drawn."""

    def __init__(self, whole: Any) -> None:
        self.record = copy.deepcopy(whole)
        named = {name: parse_manifest(parcel.manifest) for name, parcel in whole.parcels.items()}
        _, self.release = max((m.number, name) for name, m in named.items() if m.kind == "release")
        self.manifest = named[self.release]
        self.sites = [site.name for site in self.manifest.sites]
        tensors = unpack_tensors(whole.parcels[self.release].tensors, self.manifest)
        model = FusedModel.from_release(self.manifest, tensors)
        self.answers = {number: decide_alone(model, rows(number, WIDTH), f"{number:032x}", CLIP) for number in range(5)}
        self.leaves = [a_record(number, answer, rows(number, WIDTH)) for number, answer in self.answers.items()]
        self.leaves.append(a_flag(5, 0, release=self.release, truth="plax"))

    def tree(self, size: int = RECORDS, **changed: Any) -> Tree:
        leaves = [leaf.model_copy(update=changed) if leaf.number == 0 else leaf for leaf in self.leaves]
        return Tree([leaf.to_bytes() for leaf in leaves[:size]])

    def tell(self, tree: Tree, first: int = 0, since: int = 0, **changes: Any) -> str:
        labels = concepts_of(self.manifest)
        counted = tree.size - first
        answered = [counted] + [0] * (len(labels) - 1)
        data, specs, digest = pack_tensors(sums(answered, 0, self.sites))
        fields = told(tree, first, since) | {"release": self.release, "labels": labels, "sites": tuple(self.sites)}
        fields |= {"decisions": counted, "patients": counted, "federation": "test", "site": "ada"}
        fields |= {"tensors": specs, "tensors_digest": digest}
        return str(self.record.send(SummaryManifest(**(fields | changes)), data))

    def open(self, tree: Tree, number: int, draw: str | None = None, site: str = "ada") -> str:
        answer = self.answers.get(number)
        features = rows(number, WIDTH) if answer is not None else None
        manifest, data = an_opened(tree, self.leaves[number], answer, features)
        return str(self.record.send(manifest.model_copy(update={"draw": draw, "site": site}), data))

    def draw(self, summary: str, tree: Tree, count: int) -> Draw:
        facts = {"summary": summary, "size": tree.size, "root": tree.root, "seed": "5" * 64, "count": count}
        return Draw.model_validate({"federation": "test", "site": "ada"} | facts)

    def write(self, path: Path, draw: Draw | None = None) -> Record:
        extra = {} if draw is None else {f"draws/{draw.digest.removeprefix('sha256:')}.json": draw.to_bytes()}
        return Record(open_bundle(self.record.write(path, extra=extra)), self.record.trust)

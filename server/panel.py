"""Expert networks of a federation: forwarded to every site, and a gate trained on what sites' consultations say.

A network counts from when it was taken in; its place in the order of arrival stays for ever, also when it is withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from federated.errors import ConsiliumError
from federated.fusion.experts import Consulted, merged_labels, together
from federated.fusion.rules import HEAD, RULES, Chosen, expert_names, panel_shape
from federated.manifest import ExpertCard, Fold, RuleName, Tensors, WeightsManifest, manifest_bytes
from federated.panel import Asked, ConsultationManifest, ExpertManifest, PanelCard, Unasked, consulted_in
from federated.tasks import task_card
from server.artefacts import Artefacts
from server.contributions import Stored, load, load_manifest
from server.deliveries import enqueue, sent_to
from server.experts import SEED, not_sent
from server.home import CoordinatorHome
from server.registry import DeliveryRow, ParcelRow

if TYPE_CHECKING:
    from shared_models.consultation import Lesson

TAKEN_IN = ("current", "superseded", "withdrawn")


@dataclass(frozen=True)
class Network:
    """An expert network that was taken in, and its place in the order of arrival, from 1."""

    digest: str
    place: int
    state: str
    batch: str
    manifest: WeightsManifest

    @property
    def card(self) -> ExpertCard:
        """As a release names it."""
        manifest = self.manifest
        return ExpertCard(
            site=manifest.site, contribution=self.digest, architecture=manifest.architecture, labels=manifest.labels
        )

    @property
    def is_asked(self) -> bool:
        """Whether features, logits and neural means can be asked of it, as of networks that classify."""
        from shared_models.registry import CLASSIFIERS

        return self.manifest.architecture in CLASSIFIERS

    @cached_property
    def asked(self) -> Asked:
        """What it says of an image, discrepancies included; of a network that classifies."""
        from shared_models.views import sizes_of

        sizes = sizes_of(self.manifest.architecture, self.manifest.config)
        return Asked(contribution=self.digest, features=sizes.features, logits=sizes.logits, means=sizes.means)


def networks(session: Session, artefacts: Artefacts) -> list[Network]:
    """All that were ever taken in, in order of arrival."""
    rows = session.scalars(
        select(ParcelRow).where(ParcelRow.kind == "weights", ParcelRow.state.in_(TAKEN_IN)).order_by(ParcelRow.id)
    )
    loaded = [(row, load_manifest(artefacts, row.digest)) for row in rows]
    found = [(row, manifest) for row, manifest in loaded if manifest.architecture != HEAD]
    return [
        Network(row.digest, place, row.state, row.batch or "", manifest)
        for place, (row, manifest) in enumerate(found, start=1)
    ]


def network_of(session: Session, artefacts: Artefacts, digest: str) -> Network | None:
    """The network of a contribution, whether it counts still or not."""
    return next((network for network in networks(session, artefacts) if network.digest == digest), None)


def forward(session: Session, artefacts: Artefacts, home: CoordinatorHome, site: str) -> None:
    """Puts every current network of the others in line for a site, where anybody asks networks; drops those gone.

    Sites of a task whose experts are exchanged ask them, whatever the rule of releases.

    Raises:
        ConsiliumError: this program knows no such task.
    """
    if not (task_card(home.config.task).exchanged or RULES[home.config.fusion].networks):
        return
    known = networks(session, artefacts)
    ready = _ready(session, artefacts)
    wanted = {
        ready.get(network.digest) or _expert_parcel(artefacts, home, network, known)
        for network in known
        if network.state == "current" and network.manifest.site != site
    }
    waiting = (DeliveryRow.site == site) & (DeliveryRow.kind == "expert") & DeliveryRow.sequence.is_(None)
    for row in session.scalars(select(DeliveryRow).where(waiting)):
        if row.digest not in wanted:
            session.delete(row)
    session.flush()
    for digest in sorted(wanted, key=lambda name: load_manifest(artefacts, name).place):
        enqueue(session, [site], digest, "expert")


def forwarded_to(session: Session, artefacts: Artefacts, contribution: str) -> list[str]:
    """Sites to which the network of a contribution was handed over."""
    manifest = _ready(session, artefacts).get(contribution)
    return sent_to(session, manifest) if manifest else []


def _ready(session: Session, artefacts: Artefacts) -> dict[str, str]:
    """Contribution -> the manifest by which it was forwarded before."""
    names = session.scalars(select(DeliveryRow.digest).where(DeliveryRow.kind == "expert").distinct())
    return {load_manifest(artefacts, name).contribution: name for name in names}


def _expert_parcel(artefacts: Artefacts, home: CoordinatorHome, network: Network, known: Sequence[Network]) -> str:
    """Digest of the manifest that takes a network to other sites; its tensors are those that came."""
    from shared_models.views import expert_digest

    sent = load(artefacts, network.digest)
    before = [
        other.digest
        for other in known
        if other.place < network.place and (other.manifest.site, other.batch) == (network.manifest.site, network.batch)
    ]
    manifest = ExpertManifest(
        federation=home.config.federation,
        tensors=sent.manifest.tensors,
        tensors_digest=sent.manifest.tensors_digest,
        site=network.manifest.site,
        contribution=network.digest,
        place=network.place,
        replaces=tuple(before),
        task=network.manifest.task,
        architecture=network.manifest.architecture,
        config=network.manifest.config,
        labels=network.manifest.labels,
        network=expert_digest(network.manifest.architecture, network.manifest.config, sent.tensors),
    )
    return artefacts.put(manifest_bytes(manifest))


def chosen_panel(
    rule: RuleName, known: Sequence[Network], sent: Sequence[Stored], sites: Sequence[str], seed: int = SEED
) -> Chosen:
    """A rule of networks with its panel and what was trained of it.

    The panel are the current networks of the release's sites of which somebody was asked. What a site lacked is no
    reason to wait: its images take part with the experts that it has, and the panel says so.

    Args:
        rule: its name.
        known: networks in order of arrival.
        sent: consultations.
        sites: of the release.
        seed: of first weights and order.

    Raises:
        ConsiliumError: nothing was sent to learn from.
    """
    counted = [network for network in known if network.state == "current" and network.is_asked]
    present = [network for network in counted if network.manifest.site in sites]
    if not present:
        raise not_sent(rule, "weights of expert networks")
    consultations = sorted((item for item in sent if item.manifest.site in sites), key=lambda item: item.digest)
    lessons = _Lessons(rule, present, consultations)
    if not lessons.panel:
        needs = "neural mean discrepancies" if RULES[rule].gate == "discrepancy" else "consultations"
        raise not_sent(rule, needs)
    panel = PanelCard(
        experts=tuple(lessons.asked),
        consultations=tuple(item.digest for item in consultations),
        unasked=_unasked(lessons, sites),
    )
    return Chosen(rule, gate=lessons.trained(seed), panel=panel)


class _Lessons:
    """What there is to learn from for one rule."""

    def __init__(self, rule: RuleName, present: Sequence[Network], consultations: Sequence[Stored]) -> None:
        self.rule, self.consultations = rule, consultations
        self._reads_means = RULES[rule].gate == "discrepancy"
        whole = {network.digest: network.asked for network in present}
        self._members = {item.digest: self._asked_in(item.manifest, whole) for item in consultations}
        asked = {name for members in self._members.values() for name in members}
        self.panel = [network for network in present if network.digest in asked]

    @property
    def asked(self) -> list[Asked]:
        """What the release asks of each expert of the panel."""
        without = {} if self._reads_means else {"means": 0}
        return [network.asked.model_copy(update=without) for network in self.panel]

    def members(self, item: Stored) -> dict[str, Asked]:
        """The experts of the panel that a consultation asked all that the rule needs."""
        return self._members[item.digest]

    def trained(self, seed: int) -> Tensors:
        """The gate and cross heads, by the published recipe.

        Raises:
            ConsiliumError: no image of a label that an expert knows.
        """
        from shared_models.gate import paper_recipe, train_gate

        reads = RULES[self.rule].gate
        assert reads is not None
        train = self._lesson("train")
        if train is None:
            raise ConsiliumError(f"rule '{self.rule}' has no image of a label that an expert knows", where="experts")
        return dict(train_gate(train, self._lesson("validation"), reads, paper_recipe(seed), device="cpu"))

    def _asked_in(self, manifest: ConsultationManifest, whole: Mapping[str, Asked]) -> dict[str, Asked]:
        return {
            each.contribution: each
            for each in manifest.panel
            if each.contribution in whole and (not self._reads_means or each == whole[each.contribution])
        }

    def _lesson(self, fold: Fold) -> Lesson | None:
        from shared_models.consultation import Lesson

        cards = [network.card for network in self.panel]
        names = dict(zip((card.contribution for card in cards), expert_names(cards), strict=True))
        experts = {names[card.contribution]: card.labels for card in cards}
        columns = {label: column for column, label in enumerate(merged_labels([card.labels for card in cards]))}
        parts, answers, weights = [], [], []
        for item in self.consultations:
            labels = [item.manifest.labels[index] for index in item.tensors.get(f"{fold}.label", ())]
            rows = [row for row, label in enumerate(labels) if label in columns]
            if rows and self.members(item):
                parts.append(self._part(item, fold, names, experts).rows(np.array(rows)))
                answers += [columns[labels[row]] for row in rows]
                weights.append(item.tensors[f"{fold}.weight"][rows])
        if not parts:
            return None
        return Lesson(together(experts, parts), np.array(answers, dtype=np.int64), np.concatenate(weights))

    def _part(
        self, item: Stored, fold: Fold, names: Mapping[str, str], experts: Mapping[str, tuple[str, ...]]
    ) -> Consulted:
        """What one consultation says, in the widths of the whole panel."""
        members, start, columns, asked = self.members(item), 0, [], []
        for each in item.manifest.panel:
            if each.contribution in members:
                wanted = each if self._reads_means else each.model_copy(update={"means": 0})
                columns += list(range(start, start + wanted.width))
                asked.append(wanted)
            start += each.width
        shape = panel_shape(self.rule, self.asked, [network.card for network in self.panel])
        own = [names[each.contribution] for each in asked]
        said = item.tensors[f"{fold}.said"][:, columns]
        labels = [experts[name] for name in own]
        return consulted_in(asked, own, labels, said, features=shape.features, means=shape.means)


def _unasked(lessons: _Lessons, sites: Sequence[str]) -> tuple[Unasked, ...]:
    """Experts of the panel that were not asked about all that a site sent."""
    found = []
    for site in sorted(sites):
        own = [lessons.members(item) for item in lessons.consultations if item.manifest.site == site]
        found += [
            Unasked(site=site, expert=network.digest)
            for network in lessons.panel
            if not own or any(network.digest not in members for members in own)
        ]
    return tuple(found)

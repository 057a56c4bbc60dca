"""A federation of expert networks: three arrivals, one hospital away when the third comes, and what an auditor sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import tomli_w

from federated.audit.verification import verify
from federated.decision import check_decision, parse_decision
from federated.errors import ConsiliumError
from federated.fused_model import FusedModel
from federated.manifest import ReleaseManifest, RuleName, parse_manifest, unpack_tensors
from server.event import EventSummary, ExchangeRequest, Unreached, run_event
from site_agent.adopt import evaluate, release_path
from site_agent.agent import exchange
from site_agent.asking import Reader
from site_agent.expert_settings import ExpertSettings
from site_agent.home import SiteHome
from site_agent.panel import panel_of
from site_agent.predict import predict
from site_agent.witness import witness
from tests.site_agent.conftest import Federation

TINY = ExpertSettings(architecture="small_resnet18", side=16, width=4, epochs=2, copies=1, neural_means=True)
KINDS = ("statistics", "weights", "consultation", "report")
HELD = {
    "ada": {"dark": 10, "light": 10},
    "ben": {"light": 10, "striped": 10},
    "cem": {"dark": 10, "striped": 10},
}


class Route:
    """Files, but for those who are away."""

    def __init__(self) -> None:
        self.homes: dict[str, SiteHome] = {}
        self.away: set[str] = set()

    def sites(self) -> list[str]:
        return sorted(set(self.homes) - self.away)

    def witness(self, requests: Mapping[str, Sequence[bytes]]) -> dict[str, bytes]:
        return {site: witness(self.homes[site], asked, told) for site, (asked, *told) in requests.items()}

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes] | Unreached]:
        return {site: exchange(self.homes[site], one.parcels, one.settled) for site, one in requests.items()}


class Hospitals:
    """A federation whose sites train tiny networks."""

    def __init__(self, folder: Path, rule: RuleName) -> None:
        self.made, self.route = Federation(folder), Route()
        self.coordinator = self.made.coordinator
        self.coordinator.home.choose_fusion(rule)

    def arrive(self, name: str) -> None:
        home = self.made.hospital(name, HELD[name], *KINDS)
        config = home.config.model_copy(update={"expert": TINY})
        (home.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
        self.route.homes[name] = SiteHome(home.path)

    def event(self) -> EventSummary:
        return run_event(self.coordinator, self.route)

    def released(self, event: EventSummary) -> FusedModel:
        assert event.trouble == ""
        assert event.release is not None
        artefacts = self.coordinator.artefacts
        manifest = parse_manifest(artefacts.get(event.release))
        assert isinstance(manifest, ReleaseManifest)
        return FusedModel.from_release(manifest, unpack_tensors(artefacts.get(manifest.tensors_digest), manifest))


def _sites(model: FusedModel) -> list[str]:
    """Of the panel, in order of arrival."""
    cards = {card.contribution: card.site for card in model.manifest.experts}
    assert model.manifest.panel is not None
    return [cards[each.contribution] for each in model.manifest.panel.experts]


def _lacked(model: FusedModel) -> list[tuple[str, str]]:
    """Which site lacked whose expert."""
    cards = {card.contribution: card.site for card in model.manifest.experts}
    assert model.manifest.panel is not None
    return [(each.site, cards[each.expert]) for each in model.manifest.panel.unasked]


def test_a_panel_grows_catches_up_and_answers(tmp_path: Path) -> None:
    hospitals = Hospitals(tmp_path, "gated-experts-discrepancy")
    hospitals.arrive("ada")
    hospitals.arrive("ben")
    early = hospitals.released(hospitals.event())
    assert (_sites(early), _lacked(early)) == (["ada", "ben"], [("ada", "ben"), ("ben", "ada")])
    both = hospitals.released(hospitals.event())
    assert (_sites(both), _lacked(both)) == (["ada", "ben"], [])

    hospitals.route.away.add("ada")
    hospitals.arrive("cem")
    third = hospitals.released(hospitals.event())
    assert (_sites(third), _lacked(third)) == (["ada", "ben", "cem"], [("ada", "cem"), ("ben", "cem")])
    without_ada = hospitals.released(hospitals.event())
    assert _lacked(without_ada) == [("ada", "cem")]

    hospitals.route.away.clear()
    model = hospitals.released(hospitals.event())
    assert (_sites(model), _lacked(model), model.manifest.lacking) == (["ada", "ben", "cem"], [], ())
    assert hospitals.event().release is None
    _answers_add_up(hospitals, model, tmp_path)


def _answers_add_up(hospitals: Hospitals, model: FusedModel, folder: Path) -> None:
    ada = hospitals.route.homes["ada"]
    assert [expert.site for expert in panel_of(ada)].count("ada") == 1
    evaluation = evaluate(ada, model.digest)
    assert evaluation.known == evaluation.clips > 0
    out, images = folder / "predictions.jsonl", hospitals.made.images("new", {"dark": 3, "striped": 3})
    done = predict(model, Reader(ada, model.manifest), [images], out)
    assert (done.clips, done.unreadable) == (6, ())
    for number, line in enumerate(out.read_text().splitlines()):
        decision = parse_decision(line, where=f"line {number}")
        check_decision(decision)
        assert sum(decision.weights.values()) == pytest.approx(1)
    release = release_path(ada, model.digest)
    sent = sorted((ada.outbox / "settled").glob("*.parcel"))
    audits = verify([release, out, *sent], hospitals.coordinator.trust(), release)
    assert {audit.kind for audit in audits} >= {"release", "predictions", "statistics", "weights", "consultation"}
    assert all(audit.ok for audit in audits)
    assert {check.name for check in audits[0].checks} >= {"signature", "contents", "model", "solutions"}
    gone = next(ada.experts.glob("*.parcel"))
    gone.unlink()
    with pytest.raises(ConsiliumError, match=r"its panel asks the expert of (ben|cem), which is not here; have the"):
        evaluate(ada, model.digest)

"""The whole way: answered at a hospital, told of, drawn, opened, taken in, and decided again by an auditor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federated.audit.bundle import open_bundle
from federated.audit.replay import replay
from federated.audit.whole import verify_bundle
from federated.draw import draw_from, indices, verify_opened
from federated.fused_model import FusedModel
from server.bundles import write_bundle
from site_agent.decisions.flags import flag
from site_agent.decisions.opening import open_draw
from site_agent.decisions.summaries import summarise
from site_agent.egress import Gate

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Federation
    from tests.site_agent.decisions.conftest import Clinic


def test_an_auditor_decides_again_what_a_hospital_answered(
    federation: Federation,
    ada: SiteHome,
    clinic: Clinic,
    limits: Callable[..., None],
    approver_of: Callable[[SiteHome], Any],
    tmp_path: Path,
) -> None:
    limits(cell=3, batch=3)
    clinic.answer({"dark": 8, "light": 8}, each=2)
    flag(ada, f"dark-{clinic.came}", "light", why="follow-up", by="Dr. Doe")
    assert [step.state for step in summarise(ada)] == ["outbox"]
    assert federation.exchange(ada) == ["summary accepted"]
    first = open_bundle(_bundle(federation, tmp_path / "first.bundle"))
    (summary,) = first.summaries()
    drawn = draw_from(summary, seed=bytes(32), count=12)
    open_draw(ada, drawn)
    for waiting in Gate(ada).pending():
        Gate(ada).approve(waiting.digest, approver_of(ada))
    assert federation.exchange(ada) == ["decision accepted"] * 12
    bundle = open_bundle(_bundle(federation, tmp_path / "second.bundle"))
    opened = list(bundle.parcels("decision"))
    assert sorted(each.manifest.record.number for each in opened) == list(indices(drawn))
    assert all(check.ok for check in verify_opened(drawn, summary, opened))
    release = bundle.opened(bundle.release("1").digest)
    model = FusedModel.from_release(release.manifest, release.tensors)
    for each in opened:
        if each.manifest.decision is not None:
            found = replay(each, model)
            assert (found.ok, found.equal, found.difference) == (True, "bit for bit", 0.0)
    audits = list(verify_bundle(bundle, federation.coordinator.home.trust(), witnesses=0))
    assert [audit for audit in audits if not audit.ok] == []
    assert {"summary", "decision", "decision log"} <= {audit.kind for audit in audits}


def _bundle(federation: Federation, path: Path) -> Path:
    write_bundle(federation.coordinator.home, path, features=False, averages=False)
    return path

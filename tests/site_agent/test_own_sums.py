"""A candidate that says other sums of a site than it sent gets no report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from federated.envelope import open_parcel
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.manifest import Tensors
from site_agent import agent
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox, Outbox
from site_agent.own_sums import require_own_sums
from site_agent.steps import read_progress

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 14, "light": 14}


def _candidate(federation: Federation, home: SiteHome) -> FusedModel:
    federation.coordinator.propose()
    (parcel,) = federation.coordinator.outgoing(home.config.site)
    opened = open_parcel(parcel, home.trust(), recipient=home.config.site)
    return FusedModel.from_release(opened.manifest, opened.tensors)


def _contributions(model: FusedModel, site: str) -> tuple[str, ...]:
    return next(one.contributions for one in model.manifest.sites if one.name == site)


def _other(model: FusedModel, name: str, change: Callable[[np.ndarray], np.ndarray]) -> FusedModel:
    tensors: Tensors = {**model.tensors, name: change(model.tensors[name])}
    return FusedModel.from_release(model.manifest, tensors)


@pytest.mark.parametrize("kinds", [("statistics",), ("features",), ("statistics", "features")])
def test_sums_of_several_batches_and_sites_are_found_again(federation: Federation, kinds: tuple[str, ...]) -> None:
    ada = federation.hospital("ada", PATIENTS, *kinds, "report")
    federation.take_in(ada, {"light": 8, "striped": 8}, first=100)  # a further label is a further column
    ben = federation.hospital("ben", {"dark": 10})
    federation.exchange(ada)
    federation.exchange(ben)
    model = _candidate(federation, ada)
    require_own_sums(ada, model, _contributions(model, "ada"))
    assert np.abs(model.blocks["ada"].class_sums).max() > 0


@pytest.mark.parametrize("name", ["class_sums", "weights"])
def test_rows_that_the_site_did_not_send_are_refused(federation: Federation, name: str) -> None:
    ada = federation.hospital("ada", PATIENTS)
    federation.exchange(ada)
    model = _candidate(federation, ada)
    names = _contributions(model, "ada")
    require_own_sums(ada, _other(model, name, lambda rows: rows * (1 + 1e-12)), names)
    with pytest.raises(ContractError, match="candidate 1: says other sums of this site than it has sent"):
        require_own_sums(ada, _other(model, name, lambda rows: rows * (1 + 1e-7)), names)


def test_rows_that_are_no_numbers_are_refused(federation: Federation) -> None:
    ada = federation.hospital("ada", PATIENTS)
    federation.exchange(ada)
    model = _candidate(federation, ada)
    with pytest.raises(ContractError, match="tensor class_sums holds NaN or infinity"):
        _other(model, "class_sums", lambda rows: np.full_like(rows, np.nan))


def test_a_contribution_that_never_left_is_refused(federation: Federation) -> None:
    ada = federation.hospital("ada", PATIENTS)
    federation.exchange(ada)
    model = _candidate(federation, ada)
    with pytest.raises(ContractError, match="names a contribution that did not leave here"):
        require_own_sums(ada, model, (*_contributions(model, "ada"), "sha256:" + "9" * 64))


def test_the_agent_reports_nothing_and_says_why(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = federation.hospital("ada", PATIENTS)
    federation.exchange(ada)
    federation.coordinator.propose()
    honest = FusedModel.from_release
    monkeypatch.setattr(
        FusedModel, "from_release", lambda manifest, data: honest(manifest, {**data, "weights": data["weights"] + 1})
    )
    assert federation.exchange(ada) == []
    (step,) = read_progress(ada).last
    assert (step.kind, step.state) == ("candidate", "refused")
    assert "other sums" in step.note
    assert Inbox(ada).unread() == []
    assert Outbox(ada).parcels() == []
    assert agent.work(ada).steps == ()

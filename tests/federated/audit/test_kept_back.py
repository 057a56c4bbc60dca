from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from federated.audit.contents import WHY
from federated.audit.kept_back import HOLDS, made_of, reason_to_keep, require_reason
from federated.audit.logged import LogIndex
from federated.errors import ContractError

DIGEST = "sha256:" + "d" * 64


def _head(manifest: Any, why: str) -> Any:
    return SimpleNamespace(manifest=manifest, why=why, digest=DIGEST)


def _may(manifest: Any, why: str, manifests: dict[str, Any] | None = None, index: LogIndex | None = None) -> bool:
    try:
        require_reason(_head(manifest, why), manifests or {}, index or LogIndex())
    except ContractError:
        return False
    return True


def test_every_reason_has_its_rule() -> None:
    assert {*HOLDS, "withdrawn"} == set(WHY)


@pytest.mark.parametrize(("level", "to_sites", "ok"), [(2, 1, True), (2, 2, False), (1, 1, False)])
def test_a_gram_matrix_is_kept_back_where_its_site_says_so(
    make_sample: Any, level: int, to_sites: int, ok: bool
) -> None:
    manifest = make_sample("statistics")[0].model_copy(update={"level": level, "level_to_sites": to_sites})
    assert _may(manifest, "gram") == ok


@pytest.mark.parametrize(("gram", "ok"), [("released", False), ("kept", True), ("imputed", True)])
def test_a_report_is_kept_back_with_its_sites_gram_matrix(
    make_sample: Any, federation: Any, gram: str, ok: bool
) -> None:
    report, candidate = make_sample("report")[0], federation.candidate().manifest
    sites = (candidate.sites[0].model_copy(update={"gram": gram}), *candidate.sites[1:])
    assert _may(report, "gram", {report.candidate: candidate.model_copy(update={"sites": sites})}) == ok
    assert _may(report, "gram")


@pytest.mark.parametrize(
    ("why", "kinds"),
    [
        ("coordinator", {"features", "weights", "synthetic", "consultation", "update"}),
        ("release", {"candidate"}),
        ("size", {"average", "expert"}),
        ("gram", {"statistics", "report"}),
    ],
)
def test_each_reason_is_one_of_some_kinds(make_sample: Any, why: str, kinds: set[str]) -> None:
    every = ("statistics", "features", "weights", "synthetic", "consultation", "update", "report", "candidate")
    found = {kind for kind in (*every, "release", "average", "expert") if _may(make_sample(kind)[0], why)}
    assert found == kinds


def test_what_was_taken_back_is_what_the_log_says(make_sample: Any, federation: Any) -> None:
    contribution, release = make_sample("statistics")[0], federation.release().manifest
    logged, unlogged = LogIndex(size=3), LogIndex()
    assert _may(contribution, "withdrawn", index=unlogged)
    assert not _may(contribution, "withdrawn", index=logged)
    assert _may(contribution, "withdrawn", index=replace(logged, withdrawn={DIGEST: 1}))
    assert not _may(release, "withdrawn", index=logged)
    assert _may(release, "withdrawn", index=replace(logged, withdrawn={release.sites[1].contributions[0]: 1}))


def test_what_a_release_is_made_of(federation: Any) -> None:
    release = federation.release().manifest
    assert made_of(release) == {name for site in release.sites for name in site.contributions}


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("statistics", "gram"),
        ("report", "gram"),
        ("features", "coordinator"),
        ("candidate", "release"),
        ("average", "size"),
        ("release", None),
        ("adoption", None),
        ("recall", None),
    ],
)
def test_what_an_auditor_gets_of_each_kind(make_sample: Any, kind: str, why: str | None) -> None:
    manifest = make_sample(kind)[0]
    assert reason_to_keep(manifest, {}) == why
    if why is not None:
        assert _may(manifest, why)

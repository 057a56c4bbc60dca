"""The spine's parts run in small, its peer gives the same weights, and the demonstration's figures are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import spine
from benchmarks.claims import Measured, at_most
from benchmarks.processes import Watched


def test_the_solve_agrees_with_its_peer() -> None:
    claims = {claim.claim: claim for claim in spine._solving(32, images=(20, 40)).claims}
    assert claims["largest difference from scikit-learn's pooled ridge"].holds
    assert len(claims) == 4


def test_a_contribution_grows_with_its_level() -> None:
    first, second = (float(row["MB"] or 0) for row in spine._sizes(64).rows)
    gram = 2 * 64 * 65 / 2 * 8 / 1e6
    assert second - first == pytest.approx(gram, abs=0.001)


def test_selection_is_timed() -> None:
    (claim,) = spine._selecting(16, images=30).claims
    assert 0 < claim.value < 60


def test_the_demonstration_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: Sequence[str], log: Path) -> Watched:
        assert command[:4] == [sys.executable, "-m", "consilium", "demo"]
        out = Path(command[command.index("--out") + 1])
        out.mkdir()
        arrivals = [{"exchange_seconds": 3.0}, {"exchange_seconds": 61.0}]
        results = {"route": "files", "order": ["a", "b"], "arrivals": arrivals}
        (out / "results.json").write_text(json.dumps(results), encoding="utf-8")
        return Watched(12.0, 2**30)

    monkeypatch.setattr(spine, "watch", run)
    claims = spine._demonstrating(spine.PHANTOM, 240.0, ["--offline"]).claims
    assert [claim.value for claim in claims[:3]] == [12.0, 61.0, 1.0]
    assert [claim.holds for claim in claims[:3]] == [True, False, True]


@pytest.mark.parametrize("there", [True, False])
def test_lung_ultrasound_is_shown_where_it_is_at_hand(
    there: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def demonstrate(name: str, limit: float, arguments: list[str]) -> Measured:
        asked.append(arguments)
        return Measured(rows=({"images": name},), claims=(at_most(name, 1.0, "s", limit),))

    monkeypatch.setattr(spine, "LUNG", tmp_path if there else tmp_path / "missing")
    monkeypatch.setattr(spine, "_demonstrating", demonstrate)
    assert len(spine._demonstrations().claims) == len(asked) == (2 if there else 1)
    assert not there or asked[1][:2] == ["--data", str(tmp_path)]

"""The whole record: two hospitals contribute, answer, tell of it and open what is drawn; an auditor verifies it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.outcome import Audit
from federated.audit.whole import verify_bundle
from federated.draw import draw_from
from federated.keys import write_trust
from server.bundles import write_bundle
from server.coordinator import Coordinator
from server.event import run_event
from site_agent.agent import work
from site_agent.home import SiteHome
from tests.e2e.hospitals import Files, address, found, join, run

DRAWN = 5


class Told:
    """Two hospitals that arrive one after the other, and what an auditor asks of the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.coordinator: Coordinator = found(folder, address())
        self.homes: dict[str, SiteHome] = {}
        for name in ("ada", "ben"):
            self.homes[name] = join(self.coordinator, name)
            work(self.homes[name])
            self.event()
        write_trust(self.coordinator.trust(), folder / "trust.toml")

    def event(self) -> None:
        """What is ready passes; then every hospital works, and what came of that passes."""
        for _ in range(2):
            run_event(self.coordinator, Files(self.homes))
            for home in self.homes.values():
                work(home, adopting=True)

    def answer(self, site: str) -> None:
        """The hospital applies the release in use to some of its images, and gives sums of its answers to the gate."""
        images = sorted((self.folder / f"{site}-images").glob("*.png"))[::9]
        run("site", "predict", *images, "--home", self.homes[site].path, "--out", self.folder / "answers.jsonl")
        run("site", "decisions", "summary", "--send", "--home", self.homes[site].path)
        self.event()

    def open_drawn(self, site: str) -> Path:
        """An auditor draws from the summary in a bundle; the hospital's approver lets what was drawn out."""
        summary = next(self.bundle("before.bundle").summaries())
        draw = draw_from(summary, seed=b"5" * 32, count=DRAWN)
        path = self.folder / "draw.json"
        path.write_bytes(draw.to_bytes())
        run("site", "decisions", "open", path, "--home", self.homes[site].path)
        run("site", "approve", "--all", "--yes", "--home", self.homes[site].path)
        self.event()
        return path

    def bundle(self, name: str) -> Any:
        write_bundle(self.coordinator.home, self.folder / name, predictions=[self.folder / "answers.jsonl"])
        return open_bundle(self.folder / name)

    def verify(self, path: Path) -> list[Audit]:
        return list(verify_bundle(open_bundle(path), self.coordinator.trust(), witnesses=2))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    made = Told(tmp_path_factory.mktemp("record"))
    made.answer("ada")
    draw = made.open_drawn("ada")
    made.bundle("whole.bundle")
    run("audit", "export", made.folder / "whole.bundle", draw, "--out", made.folder / "own.bundle")
    return made


def test_everything_that_happened_is_verified(told: Told) -> None:
    audits = told.verify(told.folder / "own.bundle")
    assert all(audit.ok for audit in audits), audits[-1]
    kinds = [audit.kind for audit in audits]
    assert [kinds.count(kind) for kind in ("statistics", "release", "summary", "decision", "draw")] == [
        2,
        2,
        1,
        DRAWN,
        1,
    ]
    checks = {(audit.kind, check.name): check for audit in audits for check in audit.checks}
    assert checks["release", "calibration"].ok is True
    assert checks["release", "site ada"].found == "as in an earlier release, computed again there"
    assert checks["decision log", "growth"].ok is True
    assert checks["draw", "draw"].found.startswith(f"{DRAWN} of ")
    assert checks["predictions", "release"].ok is True
    assert checks["log", "witnesses"].found.startswith("ada, ben signed ")
    open_points = {(audit.kind, check.name) for audit in audits for check in audit.checks if check.ok is None}
    kept = {("candidate", "contents"), ("features", "contents"), ("weights", "contents")}
    assert open_points == kept | {("predictions", "answers")}


def test_what_a_command_says_of_it(told: Told) -> None:
    shown = run("audit", "verify", told.folder / "own.bundle", "--trust", told.folder / "trust.toml")
    assert shown.splitlines()[-1] == "verified; 4 points are open, marked with a dash"
    changed = run("audit", "diff", told.folder / "own.bundle", 1, 2, "--trust", told.folder / "trust.toml")
    assert "proved unchanged, block by block: ada" in changed.splitlines()
    rows = json.loads(run("audit", "weights", told.folder / "own.bundle", "--release", 2, "--json"))
    assert {(row["source"], row["at"]) for row in rows} == {("release", None), ("answers", "ada")}
    replayed = run("audit", "replay", told.folder / "own.bundle", "--trust", told.folder / "trust.toml")
    assert f"{DRAWN} of {DRAWN} decisions came out again" in replayed


def test_nothing_in_it_names_an_image_or_a_patient(told: Told) -> None:
    """Opened decisions and summaries speak of keyed names; predictions are what somebody put beside them."""
    write_bundle(told.coordinator.home, told.folder / "bare.bundle")
    data = (told.folder / "bare.bundle").read_bytes()
    names = [path.stem for home in told.homes for path in (told.folder / f"{home}-images").glob("*.png")]
    assert len(names) > 100
    assert not [name for name in names if name.encode() in data]


@pytest.mark.parametrize("kind", ["statistics", "report", "release", "summary", "decision", "adoption"])
def test_a_changed_byte_of_any_kind_of_parcel_is_named(told: Told, kind: str) -> None:
    bundle = open_bundle(told.folder / "whole.bundle")
    name = bundle.member_of(bundle.digests(kind)[0])
    data = bytearray((told.folder / "whole.bundle").read_bytes())
    place = data.index(bundle.read(str(name))) + 200
    data[place] ^= 1
    path = told.folder / "changed.bundle"
    path.write_bytes(data)
    last = told.verify(path)[-1]
    assert last.ok is False
    assert str(name) in last.checks[-1].found

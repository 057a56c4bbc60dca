from __future__ import annotations

import json
from typing import TYPE_CHECKING

from server.event import run_event
from server.status import LAST_EVENTS

if TYPE_CHECKING:
    from tests.server.conftest import World


def test_an_empty_federation(world: World) -> None:
    found = world.coordinator.status()
    assert found["federation"] == "test"
    assert (found["sites"], found["candidate"], found["releases"], found["quarantine"]) == ([], None, [], [])
    assert [each["event"] for each in found["events"]] == ["init"]
    assert (found["plan"], found["approvers"]) == (None, [])


def test_what_a_coordinator_wants_to_know(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    world.coordinator.invite("cem")
    contribution = ada.put(ada.statistics())
    run_event(world.coordinator, world)
    ben.choice = "refused"
    ada.put(ada.statistics("b0002", expert=2))
    summary = run_event(world.coordinator, world)
    world.coordinator.accept(b"rubbish")
    found = world.coordinator.status()
    assert json.loads(json.dumps(found)) == found
    sites = {site["name"]: site for site in found["sites"]}
    assert {name: site["state"] for name, site in sites.items()} == {
        "ada": "enrolled",
        "ben": "enrolled",
        "cem": "invited",
    }
    assert sites["ada"]["labels"] == ["a4c", "plax"]
    assert sites["ada"]["versions"] == [1, 2]
    assert {each["batch"]: each["version"] for each in sites["ada"]["contributions"]} == {"b0001": 1, "b0002": 2}
    assert sorted(each["batch"] for each in sites["ada"]["contributions"]) == ["b0001", "b0002"]
    assert contribution in [each["digest"] for each in sites["ada"]["contributions"]]
    assert (sites["ada"]["waiting"], sites["cem"]["last_heard"]) == (0, None)
    first, second = found["releases"]
    assert (first["choices"], second["choices"]) == (
        {"ada": "adopted", "ben": "adopted"},
        {"ada": "adopted", "ben": "refused"},
    )
    assert (second["number"], second["digest"], second["state"]) == (2, summary.release, "standing")
    assert second["sites"] == {"ada": "own"}
    assert (first["versions"], second["versions"]) == ({"ada": [1]}, {"ada": [1, 2]})
    assert found["candidate"]["digest"] == summary.candidate
    assert (found["candidate"]["sites"], found["candidate"]["reported"]) == (["ada"], ["ada"])
    assert found["quarantine"][0]["reason"] == "parcel: is not a Consilium parcel"
    assert found["events"][-1]["event"] == "quarantined"
    assert len(found["events"]) <= LAST_EVENTS

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated.canonical import digest
from federated.envelope import Passage, parse_parcel, seal
from server.acceptance import expectations
from server.intake import Examined, examine
from server.registry import ledger_of

if TYPE_CHECKING:
    from tests.server.conftest import Site, World


@pytest.fixture
def ada(world: World) -> Site:
    return world.join("ada")


def _examine(world: World, data: bytes) -> Examined:
    coordinator = world.coordinator
    with coordinator.registry.transaction() as session:
        return examine(
            data,
            coordinator="hub",
            trust=coordinator.trust(),
            ledger_of=partial(ledger_of, session),
            expectations_of=partial(expectations, session, coordinator.artefacts, coordinator.home),
        )


def _outcome(world: World, data: bytes) -> tuple[str, str, bool]:
    """Outcome, reason and whether a number was used up."""
    found = _examine(world, data)
    assert "\n" not in found.acceptance.reason
    assert (found.opened is not None) == (found.acceptance.outcome == "accepted")
    return found.acceptance.outcome, found.acceptance.reason, found.takes_number


def test_a_parcel_that_is_right(world: World, ada: Site) -> None:
    data = ada.seal(ada.statistics())
    found = _examine(world, data)
    assert found.takes_number
    assert found.acceptance.numbered
    assert found.acceptance.model_dump() == {
        "site": "ada",
        "kind": "statistics",
        "digest": parse_parcel(data).digest,
        "outcome": "accepted",
        "answer": "accepted",
        "reason": "",
        "size": len(data),
        "batch": "b0001",
        "labels": ("plax", "a4c"),
    }


@pytest.mark.parametrize(
    ("passage", "outcome", "said"),
    [
        ({"federation": "other"}, "refused", "is for federation 'other'"),
        ({"recipient": "ben"}, "refused", "is addressed to 'ben'"),
        ({"sequence": 2, "previous": digest(b"lost")}, "refused", "is number 2, number 1 is next"),
        ({"previous": digest(b"lost")}, "refused", "number 1 is next"),
        ({"sender": "ben"}, "quarantined", "no key of this site counts: it is not enrolled"),
        ({"kind": "candidate"}, "quarantined", "sites do not send 'candidate'"),
        ({"approval": "each"}, "quarantined", "no known approver did"),
    ],
)
def test_an_envelope_that_is_wrong_uses_up_no_number(
    world: World, ada: Site, passage: dict[str, Any], outcome: str, said: str
) -> None:
    data = ada.seal(ada.statistics(), **passage)
    found = _outcome(world, data)
    assert found[0] == outcome
    assert said in found[1]
    assert not found[2]


def test_an_unknown_and_a_revoked_key(world: World, ada: Site) -> None:
    stranger = world.join("ben")
    stranger.key = Ed25519PrivateKey.generate()
    assert _outcome(world, stranger.seal(stranger.statistics()))[:2] == (
        "quarantined",
        "ben: the signature does not verify",
    )
    data = ada.seal(ada.statistics())
    world.coordinator.revoke("ada")
    outcome, reason, numbered = _outcome(world, data)
    assert (outcome, numbered) == ("quarantined", False)
    assert "its key was revoked" in reason


def test_content_that_is_wrong_uses_up_the_number(world: World, ada: Site) -> None:
    wrong = ada.seal(ada.statistics(front_end=digest(b"another")))
    right = ada.seal(ada.statistics())
    assert _outcome(world, right)[0] == "refused"  # number 2 before number 1
    outcome, reason, numbered = _outcome(world, wrong)
    assert (outcome, numbered) == ("quarantined", True)
    assert "another front end" in reason
    world.coordinator.accept(wrong)
    assert _outcome(world, wrong)[1].startswith("ada: was refused before")
    assert _outcome(world, right)[0] == "accepted"


def test_a_site_cannot_speak_for_another(world: World, ada: Site) -> None:
    """The second site's bytes under the first one's own, right envelope."""
    ben = world.join("ben")
    theirs = ben.seal(ben.statistics())
    parcel = parse_parcel(theirs)
    manifest = ben.statistics().built()[0]
    passage = Passage(
        federation="test",
        sender="ada",
        recipient="hub",
        sequence=1,
        previous=None,
        kind="statistics",
        policy=None,
        filters={},
        approval="none",
        issued="2030-01-01T00:00:00Z",
    )
    stolen = seal(manifest, parcel.tensors, passage, [ada.key]).to_bytes()
    outcome, reason, _ = _outcome(world, stolen)
    assert outcome == "quarantined"
    assert "speaks for site 'ben'" in reason
    assert world.coordinator.accept(stolen).outcome == "quarantined"
    assert world.coordinator.accept(theirs).outcome == "accepted"


def test_the_same_again_and_after_withdrawal(world: World, ada: Site) -> None:
    data = ada.seal(ada.statistics())
    world.coordinator.accept(data)
    assert _outcome(world, data) == ("same", "", False)
    world.coordinator.withdraw("ada")
    outcome, reason, numbered = _outcome(world, data)
    assert (outcome, numbered) == ("refused", False)
    assert "was withdrawn and cannot come back" in reason


def _cut(data: bytes) -> bytes:
    return data[:-1]


def _longer(data: bytes) -> bytes:
    return data + b"\0"


def _nothing(_: bytes) -> bytes:
    return b""


def _other_tensors(data: bytes) -> bytes:
    return data[:-8] + bytes(8)


@pytest.mark.parametrize("damage", [_cut, _longer, _nothing, _other_tensors])
def test_damage_on_the_way_is_quarantined_and_the_whole_copy_may_still_come(
    world: World, ada: Site, damage: Callable[[bytes], bytes]
) -> None:
    whole = ada.seal(ada.statistics())
    outcome, _, numbered = _outcome(world, damage(whole))
    assert (outcome, numbered) == ("quarantined", False)
    world.coordinator.accept(damage(whole))
    assert world.coordinator.accept(whole).outcome == "accepted"


def test_a_site_is_told_what_to_settle_and_what_to_send_again(world: World, ada: Site) -> None:
    wrong, old = ada.seal(ada.statistics(task="other")), ada.seal(ada.statistics())
    late = ada.seal(ada.statistics("b0002"))

    def answer(data: bytes) -> tuple[str, bool]:
        found = world.coordinator.accept(data)
        return found.answer, found.numbered

    assert answer(old) == answer(late) == answer(_other_tensors(wrong)) == answer(b"rubbish") == ("again", False)
    assert answer(wrong) == answer(wrong) == ("rejected", True)
    assert answer(late) == ("again", False)
    assert answer(_other_tensors(old)) == ("again", False)
    assert answer(old) == ("accepted", True)
    assert answer(old) == ("same", True)
    assert answer(late) == ("accepted", True)
    assert answer(ada.seal(ada.statistics(to_sites=1))) == ("accepted", True)
    assert answer(old) == ("same", True)  # superseded
    world.coordinator.withdraw("ada")
    assert answer(late) == ("same", True)  # withdrawn


@pytest.mark.parametrize("part", [0.001, 0.1, 0.3, 0.5, 0.9, 0.9999])
def test_after_a_flipped_byte_everything_sent_again_is_taken_in(world: World, ada: Site, part: float) -> None:
    parcels = [ada.seal(ada.statistics(batch)) for batch in ("b0001", "b0002", "b0003")]
    damaged = bytearray(parcels[0])
    damaged[int(part * len(damaged))] ^= 255
    found = world.coordinator.accept_all([bytes(damaged), *parcels[1:]])
    assert {each.answer for each in found} == {"again"}
    assert world.coordinator.settled("ada") == []
    found = [world.coordinator.accept(data) for data in parcels]
    assert [each.outcome for each in found] == ["accepted"] * 3
    assert [answer for _, answer in world.coordinator.settled("ada")] == ["accepted"] * 3


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_a_flipped_bit_is_never_taken_in(world: World, parcel: bytes, place: int, bit: int) -> None:
    data = bytearray(parcel)
    data[place % len(data)] ^= 1 << bit
    outcome, reason, _ = _outcome(world, bytes(data))
    assert outcome in ("quarantined", "refused")
    assert reason


@pytest.fixture
def parcel(ada: Site) -> bytes:
    return ada.seal(ada.statistics(level=1))


@given(data=st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_get_an_answer(world: World, data: bytes) -> None:
    assert _outcome(world, data)[0] == "quarantined"

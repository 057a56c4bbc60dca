"""Experts of other sites: what is kept, what is refused before anything of it is loaded, and what replaces what."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from federated.contract import Tensors, pack_tensors
from federated.envelope import Passage, seal
from federated.errors import ConsiliumError, ContractError
from federated.keys import read_private_key
from federated.panel import ExpertManifest
from server.event import run_event
from shared_models import views
from shared_models.expert_training import new_expert
from shared_models.registry import create_model
from shared_models.views import expert_digest
from site_agent.agent import work
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox
from site_agent.network_settings import NetworkSettings
from site_agent.panel import base_of, own_experts, panel_of, received, require_sound
from site_agent.policy import permissive_policy, sign_policy, write_policy
from tests.site_agent.sources.conftest import Exported, exported
from tests.site_agent.test_averaging import Files
from tests.site_agent.test_lessons import Party

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

__all__ = ["exported"]

CONFIG = {"classes": 2, "side": 16, "width": 4}
LABELS = ("dark", "light")
UNET = {"classes": 3, "side": 16, "width": 2, "levels": 2}


@cache
def state_of(seed: int) -> Tensors:
    return new_expert("small_resnet18", CONFIG, seed=seed).state()


def expert_of(site: str, place: int, tensors: Tensors | None = None, **changes: Any) -> tuple[ExpertManifest, bytes]:
    """An expert's manifest and tensors, sound unless something is changed."""
    state = state_of(place) if tensors is None else tensors
    data, specs, tensors_digest = pack_tensors(state)
    fields = {
        "federation": "shades",
        "tensors": specs,
        "tensors_digest": tensors_digest,
        "site": site,
        "contribution": f"sha256:{place:064x}",
        "place": place,
        "task": "classification",
        "architecture": "small_resnet18",
        "config": CONFIG,
        "labels": LABELS,
        "network": expert_digest("small_resnet18", CONFIG, state),
    }
    return ExpertManifest.model_validate(fields | changes), data


class Post:
    """The coordinator's parcels to one site, by hand."""

    def __init__(self, federation: Federation, home: SiteHome) -> None:
        self._key, self._home = federation.coordinator.home.key(), home
        self._sequence = 0
        self._last: str | None = None

    def send(self, manifest: ExpertManifest, data: bytes) -> None:
        fields: dict[str, Any] = {"federation": "shades", "sender": "hub", "recipient": self._home.config.site}
        fields |= {"sequence": self._sequence + 1, "previous": self._last, "kind": "expert", "policy": None}
        fields |= {"filters": {}, "approval": "none", "issued": "2030-01-01T00:00:00Z"}
        parcel = seal(manifest, data, Passage.model_validate(fields), [self._key])
        self._sequence, self._last = self._sequence + 1, parcel.digest
        Inbox(self._home).put(parcel.to_bytes())


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.join("ada")


@pytest.fixture
def post(federation: Federation, ada: SiteHome) -> Post:
    return Post(federation, ada)


def test_experts_that_come_are_kept_in_order_of_arrival(ada: SiteHome, post: Post) -> None:
    for site, place in (("ben", 2), ("cem", 1)):
        post.send(*expert_of(site, place))
    steps = work(ada).steps
    assert [step.line for step in steps] == ["expert, expert of ben: kept", "expert, expert of cem: kept"]
    assert [expert.site for expert in received(ada)] == ["cem", "ben"]
    base = base_of(ada, "b0001")
    assert base is not None
    assert base.site == "cem"
    first = panel_of(ada)[0]
    assert first.network.digest == expert_digest("small_resnet18", CONFIG, state_of(1))
    assert not Inbox(ada).unread()


def test_another_network_under_an_old_digest_is_told_and_not_kept(ada: SiteHome, post: Post) -> None:
    """The coordinator signs what it likes; what it signed before is here."""
    post.send(*expert_of("ben", 1))
    work(ada)
    swapped, data = expert_of("ben", 1, state_of(2))
    assert swapped.contribution == received(ada)[0].contribution
    post.send(swapped, data)
    (step,) = work(ada).steps
    assert "expert of ben: is another network than sha256:" in step.line
    assert "show both parcels to the auditor; the earlier one stays in use" in step.line
    assert received(ada)[0].network.digest == expert_digest("small_resnet18", CONFIG, state_of(1))


def unet_of(site: str, place: int, **changes: Any) -> tuple[ExpertManifest, bytes]:
    """An expert that segments two structures, sound unless something is changed."""
    state = {name: tensor.numpy() for name, tensor in create_model("unet", **UNET).state_dict().items()}
    about = {"architecture": "unet", "config": UNET, "network": expert_digest("unet", UNET, state)}
    return expert_of(site, place, state, **about | changes)


def test_an_expert_that_does_not_classify_is_kept_and_not_asked_as_one_that_does(ada: SiteHome, post: Post) -> None:
    post.send(*unet_of("ben", 1))
    post.send(*expert_of("cem", 2))
    assert [step.state for step in work(ada).steps] == ["kept", "kept"]
    assert [(expert.site, expert.is_asked) for expert in received(ada)] == [("ben", False), ("cem", True)]
    assert [expert.site for expert in panel_of(ada)] == ["cem"]
    base = base_of(ada, "b0001")
    assert base is not None
    assert base.site == "cem"


def test_a_later_expert_of_a_batch_replaces_the_one_before(ada: SiteHome, post: Post) -> None:
    post.send(*expert_of("ben", 1))
    work(ada)
    post.send(*expert_of("ben", 2, replaces=(f"sha256:{1:064x}",)))
    work(ada)
    assert [expert.place for expert in panel_of(ada)] == [2]


def _with(**changes: np.ndarray) -> Tensors:
    return {**state_of(1), **{name.replace("__", "."): array for name, array in changes.items()}}


HOSTILE: dict[str, tuple[Callable[[], tuple[ExpertManifest, bytes]], str]] = {
    "another task": (lambda: expert_of("ben", 1, task="segmentation"), "is no expert network for this home's task"),
    "a head": (lambda: expert_of("ben", 1, architecture="linear_head"), "is no expert network"),
    "no such network": (lambda: expert_of("ben", 1, architecture="hundred_nets"), "cannot be built here"),
    "a giant": (lambda: expert_of("ben", 1, config=CONFIG | {"side": 10**6}), "cannot be built here"),
    "a word for a number": (lambda: expert_of("ben", 1, config=CONFIG | {"side": "16"}), "cannot be built here"),
    "other labels": (lambda: expert_of("ben", 1, labels=("dark", "light", "striped")), "has 3 labels and speaks of 2"),
    "other structures": (
        lambda: unet_of("ben", 1, labels=("dark", "light", "striped")),
        "has 3 labels and speaks of 2",
    ),
    "a giant that segments": (lambda: unet_of("ben", 1, config=UNET | {"width": 10**6}), "cannot be built here"),
    "another shape": (
        lambda: expert_of("ben", 1, _with(conv1__weight=np.zeros((4, 1, 3, 4), np.float32))),
        r"tensor conv1.weight is \('float32', \(4, 1, 3, 4\)\)",
    ),
    "another type": (
        lambda: expert_of("ben", 1, _with(bn1__weight=np.zeros(4))),
        r"tensor bn1.weight is \('float64'",
    ),
    "one more": (lambda: expert_of("ben", 1, _with(hook=np.zeros(1, np.float32))), "the network has None"),
    "not a number": (
        lambda: expert_of("ben", 1, _with(bn1__weight=np.full(4, np.nan, np.float32))),
        "tensor bn1.weight: holds NaN",
    ),
    "absurd numbers": (
        lambda: expert_of("ben", 1, _with(bn1__bias=np.full(4, 1e9, np.float32))),
        "which no training gives",
    ),
    "another network": (lambda: expert_of("ben", 1, network="sha256:" + "0" * 64), "is another network than the one"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_with_an_expert_is_told_before_it_is_loaded(
    name: str, ada: SiteHome, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, reason = HOSTILE[name]
    monkeypatch.setattr(views, "load_state", lambda *_: pytest.fail("was loaded"))
    post.send(*make())
    (step,) = work(ada).steps
    assert step.state == "refused"
    with pytest.raises(ContractError, match=reason):
        raise ContractError(step.note)
    assert panel_of(ada) == []
    assert work(ada).steps == ()  # it is not tried again


def test_a_file_that_was_changed_is_not_used(ada: SiteHome, post: Post) -> None:
    post.send(*expert_of("ben", 1))
    work(ada)
    (path,) = ada.experts.glob("*.parcel")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ConsiliumError, match="not the ones the manifest names"):
        panel_of(ada)
    path.write_bytes(data[:-9])
    with pytest.raises(
        ContractError, match=rf"{path.name}: is cut short .*; remove it, and ask the coordinator for it"
    ):
        panel_of(ada)
    data[-1] ^= 1
    path.with_name("0" * 64 + ".parcel").write_bytes(data)
    path.unlink()
    with pytest.raises(ContractError, match="is another expert than its name says"):
        panel_of(ada)


def test_a_sound_expert_is_sound(ada: SiteHome) -> None:
    require_sound(ada, expert_of("ben", 1)[0], state_of(1))


def test_hospitals_that_segment_have_each_others_experts_after_one_event(tmp_path: Path, exported: Exported) -> None:
    party = Party(tmp_path, "unet")
    settings = NetworkSettings(side=16, width=2, levels=2, epochs=1, batch=8)
    homes = []
    for name, seed in (("ada", 5), ("ben", 6)):
        home = party.join(name, exported("camus", patients=6, frames=4, size=64, seed=seed)[0])
        home.config = home.config.model_copy(update={"segmentation": settings})
        write_policy(home, permissive_policy("party", name, ("weights",)))
        sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
        homes.append(home)
    found = run_event(party.coordinator, Files(*homes))
    assert [(each.kind, each.outcome) for each in found.accepted] == 2 * [("weights", "accepted")]
    assert (found.trouble, found.candidate, found.release) == ("", None, None)
    (of_ben,), (of_ada,) = (received(home) for home in homes)
    assert (of_ben.site, of_ada.site) == ("ben", "ada")
    assert of_ada.contribution == own_experts(homes[0])["b0001"].contribution
    assert all(
        np.array_equal(of_ada.state[name], array) for name, array in own_experts(homes[0])["b0001"].state.items()
    )
    again = run_event(party.coordinator, Files(*homes))
    assert (again.accepted, again.trouble) == ((), "")
    assert party.coordinator.status()["releases"] == []

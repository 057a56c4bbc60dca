"""A batch's network: trained once, from the panel's first expert, and going on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from federated.errors import ConsiliumError
from shared_models import expert_training
from site_agent.catalogue import Catalogue
from site_agent.egress import Gate
from site_agent.home import SiteHome
from site_agent.panel import base_of, own_experts
from site_agent.progress import TrainingBar
from site_agent.tasks.blocks import largest_share
from site_agent.tasks.classification import block_of, draft, selection
from site_agent.tasks.expert_network import trained_expert
from tests.site_agent.tasks.test_classification import with_network

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

LABELS = ("dark", "light")
KINDS = ("statistics", "weights", "consultation")


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return with_network(federation.hospital("ada", {"dark": 5, "light": 5}, *KINDS), epochs=2)


def _trained(federation: Federation, home: SiteHome, batch: str = "b0001") -> Any:
    policy = federation.allow(home, *KINDS)
    return trained_expert(home, batch, LABELS, selection(home, batch, policy).folds)


def _own_files(home: SiteHome) -> list[str]:
    """Without the histories beside them."""
    return sorted(path.name for path in (home.experts / "own").iterdir() if path.suffix != ".jsonl")


def test_it_is_trained_once(federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _trained(federation, ada)
    (kept,) = _own_files(ada)
    assert kept.startswith("b0001-")
    assert kept.endswith(".safetensors")
    monkeypatch.setattr(expert_training, "train_expert", None)  # would not be called
    assert _trained(federation, ada).digest == first.digest


def test_it_goes_on_where_it_was_stopped(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _trained(federation, ada)
    (ada.experts / "own" / _own_files(ada)[0]).unlink()
    told: list[tuple[int, bool]] = []

    def stop(_: TrainingBar, progress: Any) -> None:
        told.append((progress.epoch, progress.metrics is not None))
        if told[-1] == (2, False):
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingBar, "__call__", stop)
    with pytest.raises(KeyboardInterrupt):
        _trained(federation, ada)
    (folder,) = _own_files(ada)
    assert (ada.experts / "own" / folder / "checkpoint.safetensors").exists()
    monkeypatch.undo()
    assert _trained(federation, ada).digest == whole.digest
    assert [name.endswith(".safetensors") for name in _own_files(ada)] == [True]


def test_a_later_one_starts_from_the_first_and_takes_the_place_of_none_of_another_batch(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    Gate(ada).submit(draft(ada, "weights", "b0001", federation.allow(ada, *KINDS)))
    (first,) = own_experts(ada).values()
    federation.take_in(ada, {"dark": 5, "light": 5}, first=20)
    assert Catalogue(ada.catalogue_path).batches() == ["b0001", "b0002"]
    assert base_of(ada, "b0001") is None
    base = base_of(ada, "b0002")
    assert base is not None
    assert base.contribution == first.contribution
    started: list[Any] = []
    really = expert_training.train_expert

    def seen(*arguments: Any, **options: Any) -> Any:
        started.append(options["start"])
        return really(*arguments, **options)

    monkeypatch.setattr(expert_training, "train_expert", seen)
    _trained(federation, ada, "b0002")
    (state,) = started
    np.testing.assert_array_equal(state["layer1.0.conv1.weight"], first.state["layer1.0.conv1.weight"])
    assert len(_own_files(ada)) == 2


def test_from_another_architecture_nothing_is_taken_over(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    Gate(ada).submit(draft(ada, "weights", "b0001", federation.allow(ada, *KINDS)))
    federation.take_in(ada, {"dark": 5, "light": 5}, first=20)
    monkeypatch.setattr(expert_training, "train_expert", lambda *_, **options: pytest.fail(str(options["start"])))
    with pytest.raises(pytest.fail.Exception, match="None"):
        _trained(federation, with_network(ada, width=8), "b0002")


def _with_sectors(home: SiteHome) -> SiteHome:
    """The left part of every image is its sector."""
    left = {"kind": "linear", "height": 32, "width": 32, "quality": 0.9}
    left |= {"top": -0.5, "bottom": 31.5, "left": -0.5, "right": 15.5, "slope": 0.0}
    with Catalogue(home.catalogue_path).transaction() as connection:
        connection.execute("UPDATE clips SET sector = ?", (json.dumps(left),))
    return home


def test_backgrounds_are_changed_in_a_share_of_the_training_images(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _trained(federation, _with_sectors(ada)).digest
    seen: list[Any] = []
    really = expert_training.train_expert

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.append((arguments[2], options["validation"], options["presentation"]))
        return really(*arguments, **options)

    monkeypatch.setattr(expert_training, "train_expert", watched)
    mixing = {"augment": "backmix", "augment_share": 0.5, "augment_strength": 1.0}
    mixed = _trained(federation, with_network(ada, **mixing)).digest
    ((train, validation, presentation),) = seen
    assert presentation == expert_training.Presentation("backmix", 1.0)
    assert train.sectors.any(axis=(1, 2)).mean() == pytest.approx(0.5, abs=0.05)
    assert train.sectors[..., 8:].sum() == 0
    assert validation is None or validation.sectors is None
    assert mixed != plain
    assert (
        _trained(federation, with_network(ada, augment="none", augment_share=1.0, augment_strength=0.0)).digest == plain
    )


def test_without_a_sector_no_background_can_be_changed(federation: Federation, ada: SiteHome) -> None:
    with Catalogue(ada.catalogue_path).transaction() as connection:
        connection.execute("UPDATE clips SET sector = ''")
    with pytest.raises(ConsiliumError, match="the sector of no image is known"):
        _trained(federation, with_network(ada, augment="backmix"))


def test_a_patient_of_many_images_dominates_a_network_that_counts_images(federation: Federation, ada: SiteHome) -> None:
    chosen = selection(ada, "b0001", federation.allow(ada, *KINDS))
    first = chosen.folds["train"][0]
    folds = chosen.folds | {"train": [*chosen.folds["train"], *50 * [first]]}
    shares = {}
    for kind in ("weights", "consultation"):
        block = block_of(ada, kind, replace(chosen, folds=folds), "b0001")
        shares[kind] = largest_share(block.folds["train"], block.weights["train"])
    assert shares["weights"] > 0.9
    assert shares["consultation"] < 0.6


def test_a_network_that_cannot_be_is_told_in_one_line(federation: Federation, ada: SiteHome) -> None:
    home = with_network(ada, architecture="timm", name="no-such-network")
    with pytest.raises(ConsiliumError, match=r"batch b0001: no expert could be trained.*mend \[expert\]"):
        _trained(federation, home)


def test_a_file_that_was_cut_is_named_and_how_to_go_on(federation: Federation, ada: SiteHome) -> None:
    _trained(federation, ada)
    (path,) = (ada.experts / "own").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ConsiliumError, match=rf"{path.name}: is damaged, or of another network; remove it and train"):
        _trained(federation, ada)

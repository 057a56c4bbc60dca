"""A release applied to images, folders, indexes and cine files: a line an image, a line a clip, or one clear line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from federated.decision import Decision, check_decision, parse_decision
from federated.envelope import Passage, seal
from federated.errors import ConsiliumError, DataError, SignatureError
from federated.fused_model import FusedModel
from federated.keys import TrustFile
from federated.manifest import RecallManifest, pack_tensors
from shared_models.front_ends import create_front_end
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import still
from site_agent import adopt
from site_agent.intake.preparation import Prepared, prepare
from site_agent.predict import Predicted, predict, read_release, rows_of, shown_in
from site_agent.sources.index import parse_columns

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

FRONT_END = create_front_end("pixels")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, found: type[Federation]) -> Federation:
    """A federation with a release, of which nothing is changed."""
    federation = found(tmp_path_factory.mktemp("federation"))
    federation.event(federation.hospital("ada", {"dark": 20, "light": 20}))
    return federation


@pytest.fixture
def release(shared: Federation, tmp_path: Path) -> Path:
    (source,) = (shared.folder / "ada" / "releases").glob("*.parcel")
    return Path(shutil.copy(source, tmp_path / "release.parcel"))


@pytest.fixture
def model(release: Path) -> FusedModel:
    opened = read_release(release)
    return FusedModel.from_release(opened.manifest, opened.tensors)


@pytest.fixture
def images(shared: Federation, tmp_path: Path) -> Path:
    """Six images of three clips with an index."""
    folder = tmp_path / "images"
    folder.mkdir()
    source = shared.folder / "images of ada from 0"
    lines = ["path,clip,patient"]
    for number in range(3):
        for frame in range(2):
            name = f"dark-{number}-{frame}.png"
            shutil.copy(source / name, folder / name)
            lines.append(f"{name},clip {number},p{number}")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


def _predict(model: FusedModel, *inputs: Path, columns: str = "") -> tuple[Predicted, list[Decision]]:
    out = inputs[0].parent / "predictions.jsonl"
    done = predict(model, FRONT_END, inputs, out, parse_columns(columns))
    return done, [parse_decision(line, where=str(out)) for line in out.read_text().splitlines()]


def test_an_index_gives_a_line_an_image_then_a_line_a_clip(model: FusedModel, images: Path) -> None:
    done, decisions = _predict(model, images / "index.csv")
    assert (done.images, done.clips, done.unreadable) == (6, 3, ())
    assert [decision.image for decision in decisions[:2]] == ["dark-0-0.png", "dark-0-1.png"]
    assert [decision.clip for decision in decisions if decision.image is None] == ["clip 0", "clip 1", "clip 2"]
    for decision in decisions:
        check_decision(decision)
    assert {decision.best for decision in decisions} == {"dark"}
    assert done.abstained == sum(decision.abstained for decision in decisions[6:])
    assert {decision.release for decision in decisions} == {model.digest}


def test_the_same_images_give_the_same_bytes(model: FusedModel, images: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        predict(model, FRONT_END, [images], tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_images_that_are_named_are_clips_of_their_own(model: FusedModel, images: Path) -> None:
    one, other = images / "dark-0-0.png", images / "dark-1-0.png"
    _, decisions = _predict(model, one, other)
    assert [(decision.image, decision.clip) for decision in decisions] == [
        (str(one), str(one)),
        (str(other), str(other)),
        (None, str(one)),
        (None, str(other)),
    ]


def test_a_folder_without_an_index_gives_its_images(model: FusedModel, images: Path) -> None:
    (images / "index.csv").unlink()
    (images / "notes.txt").write_text("not an image")
    done, decisions = _predict(model, images)
    assert done.images == 6
    assert decisions[0].image == "dark-0-0.png"


def test_frames_of_a_cine_file_are_one_clip(model: FusedModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)) for _ in range(20)]
    frames[0].save(tmp_path / "loop.gif", save_all=True, append_images=frames[1:], duration=40)
    done, decisions = _predict(model, tmp_path / "loop.gif")
    assert (done.images, done.clips) == (8, 1)
    assert decisions[0].image == f"{tmp_path / 'loop.gif'}#0"
    assert decisions[-1].clip == str(tmp_path / "loop.gif")


def test_frames_that_an_index_names_are_answered_from_one_look(
    model: FusedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    frames = [Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)) for _ in range(9)]
    frames[0].save(tmp_path / "loop.gif", save_all=True, append_images=frames[1:], duration=40)
    lines = ["path,frame", "loop.gif,7", "loop.gif,2", "loop.gif,5"]
    (tmp_path / "index.csv").write_text("\n".join(lines))
    looks: list[object] = []

    def counted(*arguments: Any) -> Prepared:
        looks.append(arguments)
        return prepare(*arguments)

    monkeypatch.setattr("site_agent.predict.prepare", counted)
    _, decisions = _predict(model, tmp_path / "index.csv")
    assert [decision.image for decision in decisions[:3]] == ["loop.gif#7", "loop.gif#2", "loop.gif#5"]
    assert len(looks) == 1
    (tmp_path / "index.csv").write_text("\n".join([*lines, "loop.gif,9"]))
    with pytest.raises(DataError, match=r"loop\.gif has no frame 9"):
        _predict(model, tmp_path / "index.csv")


def test_clips_of_two_patients_with_one_name_are_answered_apart(model: FusedModel, images: Path) -> None:
    index = images / "index.csv"
    index.write_text(index.read_text().replace("clip 1", "clip 0"))
    done, decisions = _predict(model, index)
    assert done.clips == 3
    assert [decision.clip for decision in decisions[6:]] == ["p0/clip 0", "p1/clip 0", "clip 2"]


def test_other_column_names(model: FusedModel, images: Path) -> None:
    index = images / "index.csv"
    index.write_text(index.read_text().replace("path,clip", "file,loop"))
    assert _predict(model, index, columns="path=file,clip=loop")[0].clips == 3
    with pytest.raises(DataError, match="has no column 'path'"):
        _predict(model, index)


def test_what_cannot_be_read_is_named_and_the_rest_answered(model: FusedModel, images: Path) -> None:
    (images / "dark-0-0.png").write_bytes(b"")
    (images / "dark-0-1.png").unlink()
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(images / "dark-1-0.png")
    done, decisions = _predict(model, images)
    assert [name for name, _ in done.unreadable] == ["dark-0-0.png", "dark-0-1.png", "dark-1-0.png"]
    assert done.unreadable[0][1] == "is empty"
    assert done.unreadable[1][1] == "is not there, or is no file"
    assert "1x1 pixels" in done.unreadable[2][1]
    assert len(decisions) == 3 + 2


def test_nothing_to_answer_writes_nothing(model: FusedModel, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"")
    (tmp_path / "predictions.jsonl").write_text("as before")
    with pytest.raises(DataError, match=r"none of the 1 images can be used; .*broken\.png is empty"):
        _predict(model, tmp_path / "broken.png")
    assert (tmp_path / "predictions.jsonl").read_text() == "as before"


@pytest.mark.parametrize("what", ["empty folder", "missing.png", "movie.doc"])
def test_what_is_no_image_is_one_line(model: FusedModel, tmp_path: Path, what: str) -> None:
    (tmp_path / "empty folder").mkdir()
    (tmp_path / "movie.doc").write_bytes(b"doc")
    with pytest.raises(DataError, match=what):
        predict(model, FRONT_END, [tmp_path / what], tmp_path / "out.jsonl")


def test_rows_of_several_inputs_keep_their_order(images: Path) -> None:
    rows = rows_of([images / "dark-2-0.png", images])
    assert [row.path.name for row in rows][:2] == ["dark-2-0.png", "dark-0-0.png"]
    assert len(rows) == 7


def test_a_release_is_read_from_its_file_or_the_folder_that_holds_it(release: Path) -> None:
    assert read_release(release).digest == read_release(release.parent).digest
    shutil.copy(release, release.parent / "another.parcel")
    with pytest.raises(ConsiliumError, match="holds 2 parcels; name the release's file"):
        read_release(release.parent)


def test_a_release_is_checked_against_the_auditors_keys(shared: Federation, release: Path) -> None:
    assert read_release(release, shared.coordinator.trust()).signers
    stranger = TrustFile(federation="shades", parties=())
    with pytest.raises(SignatureError, match="it is not enrolled"):
        read_release(release, stranger)


def test_a_changed_release_is_refused_even_without_keys(release: Path) -> None:
    data = bytearray(release.read_bytes())
    data[-1] ^= 1
    release.write_bytes(bytes(data))
    with pytest.raises(ConsiliumError, match="the tensors are not the ones the manifest names"):
        read_release(release)
    release.write_bytes(b"")
    with pytest.raises(ConsiliumError, match="is not a Consilium parcel"):
        read_release(release)
    release.unlink()
    with pytest.raises(ConsiliumError, match="No such file"):
        read_release(release)


def test_another_kind_of_parcel_is_no_release(shared: Federation, tmp_path: Path) -> None:
    data, specs, tensors_digest = pack_tensors({})
    digest = "sha256:" + "1" * 64
    recall = RecallManifest(
        federation="shades", tensors=specs, tensors_digest=tensors_digest, release=digest, fallback=None
    )
    passage = Passage(
        federation="shades",
        sender="hub",
        recipient="ada",
        sequence=1,
        previous=None,
        kind="recall",
        policy=None,
        filters={},
        approval="none",
        issued="2026-01-01T00:00:00Z",
    )
    path = tmp_path / "recall.parcel"
    path.write_bytes(seal(recall, data, passage, [shared.coordinator.home.key()]).to_bytes())
    with pytest.raises(ConsiliumError, match="is a 'recall', not a release"):
        read_release(path)


def test_a_working_image_says_which_pixels_of_the_file_it_shows(tmp_path: Path) -> None:
    whole = Image.fromarray(still(draw_patient(1), "A4C", "bittern", seed=1, size=(300, 300)).image)
    whole.save(path := tmp_path / "large.png")
    (shown,) = shown_in(path, rows_of([path]))
    assert shown.box is not None
    left, top, right, bottom = shown.box
    assert 0 < left < right < 300
    assert shown.lies() == {"size": [*shown.image.shape[::-1]], "box": [left, top, right, bottom]}
    cut = whole.crop((left, top, right + 1, bottom + 1)).resize(shown.image.shape[::-1], Image.Resampling.BOX)
    seen = shown.image > 0
    assert np.abs(np.asarray(cut)[seen].astype(int) - shown.image[seen]).mean() < 1


def test_lines_are_json_with_every_sites_part(model: FusedModel, images: Path) -> None:
    _predict(model, images)
    for line in (images.parent / "predictions.jsonl").read_text().splitlines():
        fields = json.loads(line)
        assert set(fields["weights"]) == set(fields["qualified"]) == {"ada"}
        assert abs(sum(fields["evidence"].values()) - 1) < 1e-9
        for label, score in fields["scores"].items():
            assert abs(sum(fields["contributions"][label].values()) - score) < 1e-9


def test_a_home_answers_with_the_release_it_holds(shared: Federation, model: FusedModel) -> None:
    from site_agent.home import SiteHome

    (held,) = adopt.read_shelf(SiteHome(shared.folder / "ada")).releases
    assert held.digest == model.digest

from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import ConsiliumError, DataError
from site_agent.archive import Archive
from site_agent.intake.quarantine import clear_items, item_names, set_aside
from tests.site_agent.intake_making import SECRET, archive_in, names, picture, take_in


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """One image taken in, one of each other state."""
    monkeypatch.setattr("site_agent.intake.preparation.LEAST_FOR_TEXT", 30)
    monkeypatch.setattr("site_agent.intake.preparation.LEAST_FOR_MODE", 30)
    monkeypatch.setattr("site_agent.intake.preparation.find_texts", lambda *_: [((0, 0, 9, 9),)])
    monkeypatch.setattr("site_agent.intake.preparation.find_sector", lambda _: None)
    monkeypatch.setattr("site_agent.intake.preparation.image_mode", lambda some: "m" if some.shape[1] == 60 else "b")
    folder = tmp_path / "data" / "healthy"
    picture(folder / "good.png", 1)
    picture(folder / "text.png", 2, (40, 40))
    picture(folder / "sweep.png", 3, (60, 70))
    (folder / "broken.png").write_bytes(b"")
    take_in(tmp_path, tmp_path / "data")
    return archive_in(tmp_path)


def test_what_waits_for_a_person_comes_first(archive: Archive) -> None:
    found = set_aside(archive)
    assert [(one.name, one.state) for one in found] == [
        ("healthy/text.png", "quarantined"),
        ("healthy/broken.png", "refused"),
        ("healthy/sweep.png", "apart"),
    ]
    assert [one.reason for one in found] == [
        "may show burnt-in text in an image without a sector; a person must look at it",
        "is empty",
        "is M-mode, and no B-mode image",
    ]
    assert set_aside(archive, [found[1].key]) == [found[1]]


def test_everything_listed_has_its_name(archive: Archive) -> None:
    wanted = {f"healthy/{name}.png" for name in ("good", "text", "sweep", "broken")}
    assert set(item_names(archive).values()) == wanted


def test_a_cleared_item_is_taken_in_by_the_next_ingest(archive: Archive, tmp_path: Path) -> None:
    text = set_aside(archive)[0]
    assert clear_items(archive, [text.key]) == ["healthy/text.png"]
    report = take_in(tmp_path, tmp_path / "data")
    assert (report.batches, report.images, len(report.aside)) == (("b0002",), 1, 2)
    assert names(tmp_path) == ["healthy/good.png", "healthy/text.png"]
    assert take_in(tmp_path, tmp_path / "data").skipped == 2


def test_only_the_file_that_was_looked_at_is_cleared(archive: Archive, tmp_path: Path) -> None:
    """Another one in its place is looked at, and has to be cleared itself."""
    text = set_aside(archive)[0]
    clear_items(archive, [text.key])
    picture(tmp_path / "data" / "healthy" / "text.png", 4, (40, 40))
    for _ in range(2):
        report = take_in(tmp_path, tmp_path / "data")
        assert (report.images, {one.name: one.state for one in report.aside}["healthy/text.png"]) == (0, "quarantined")
    clear_items(archive, [text.key])
    assert take_in(tmp_path, tmp_path / "data").images == 1


def test_a_stopped_ingest_does_not_forget_what_was_cleared(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear_items(archive, [set_aside(archive)[0].key])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("site_agent.intake.rows.Rows.add", stop)
        with pytest.raises(KeyboardInterrupt):
            take_in(tmp_path, tmp_path / "data")
    assert take_in(tmp_path, tmp_path / "data").images == 1


def test_only_what_is_quarantined_can_be_cleared(archive: Archive, tmp_path: Path) -> None:
    _, broken, sweep = set_aside(archive)
    for one in (broken, sweep):
        with pytest.raises(DataError, match=f"{one.name}: is {one.state}: {one.reason}; clear only what is"):
            clear_items(archive, [one.key])
    with pytest.raises(DataError, match="nothing has the key feed"):
        clear_items(archive, ["feed"])
    with pytest.raises(DataError, match="names no item; give the keys"):
        clear_items(archive, [])
    assert take_in(tmp_path, tmp_path / "data").batches == ()


def test_of_several_keys_one_wrong_one_clears_nothing(archive: Archive, tmp_path: Path) -> None:
    text, broken, _ = set_aside(archive)
    with pytest.raises(DataError):
        clear_items(archive, [text.key, broken.key])
    assert take_in(tmp_path, tmp_path / "data").batches == ()


def test_names_are_told_to_who_has_the_secret(archive: Archive) -> None:
    stranger = Archive(archive.catalogue_path, archive.frames_path, b"\7" * len(SECRET))
    with pytest.raises(ConsiliumError, match="sealed with another secret"):
        set_aside(stranger)

from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import DataError
from site_agent.sources.folder import FolderSource, Known
from site_agent.sources.index import Columns
from site_agent.sources.index_masks import MaskFile
from site_agent.sources.source import Item, Refused
from tests.site_agent.intake_making import gif, picture


def index(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "index.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "index.csv"


def scanned(root: Path, source: FolderSource | None = None) -> list[Item]:
    found = list((source or FolderSource()).scan(root))
    items = [one for one in found if isinstance(one, Item)]
    assert len(items) == len(found)
    return items


def test_an_item_is_what_its_line_says(tmp_path: Path) -> None:
    path = index(tmp_path, "path,label,patient,clip,site,split", "x/a.png,4ch,P,c,north,val")
    (item,) = scanned(path)
    assert item == Item("x/a.png", tmp_path / "x" / "a.png", (), "P", "c", "4ch", "north", None, "validation")
    assert scanned(tmp_path) == [item], "the folder that holds it says the same"


def test_lines_of_one_cine_file_are_one_item(tmp_path: Path) -> None:
    lines = ("a.avi,l,P,7", "b.png,l,P,", "a.avi,l,P,3", "a.avi,l,P,7", "a.avi,l,Q,5", "a.avi,l,P,")
    items = scanned(index(tmp_path, "path,label,patient,frame", *lines))
    assert [(item.name, item.patient, item.frames) for item in items] == [
        ("a.avi", "P", (7, 3)),
        ("b.png", "P", None),
        ("a.avi", "Q", (5,)),
        ("a.avi", "P", None),
    ]


def test_other_columns_and_no_labels(tmp_path: Path) -> None:
    path = index(tmp_path, "file,who", "a.png,P")
    source = FolderSource(Columns(path="file", patient="who"), labelled=False)
    assert [(item.patient, item.label) for item in scanned(path, source)] == [("P", "")]
    with pytest.raises(DataError, match="has no column 'path'"):
        scanned(path)


def test_folders_are_labels_and_what_is_below_them_patients(tmp_path: Path) -> None:
    for number, name in enumerate(("b/P/x/1.png", "b/2.png", "a/3.png", ".hidden/4.png", "b/.5.png")):
        picture(tmp_path / name, number)
    found = [(item.name, item.label, item.patient) for item in scanned(tmp_path)]
    assert found == sorted(found)
    assert set(found) == {("b/P/x/1.png", "b", "P"), ("b/2.png", "b", ""), ("a/3.png", "a", "")}


def test_what_cannot_be_listed_is_told_beside_the_rest(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png", 1)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    found = list(FolderSource().scan(tmp_path))
    assert [one.name for one in found if isinstance(one, Item)] == ["a/1.png"]
    (refused,) = (one for one in found if isinstance(one, Refused))
    assert refused.path == tmp_path / "a" / "loop"


def test_an_item_is_opened_whatever_its_form(tmp_path: Path) -> None:
    source = FolderSource()
    for path in (picture(tmp_path / "a" / "a.png", 1), gif(tmp_path / "a" / "b.gif", 3)):
        frames = list(source.open(Item(path.name, path)).frames())
        assert len(frames) == (1 if path.suffix == ".png" else 3)
    with pytest.raises(DataError):
        source.open(Item("missing", tmp_path / "missing.png"))


def test_any_folder_or_index_is_recognised(tmp_path: Path) -> None:
    assert FolderSource().recognises(tmp_path)
    assert FolderSource().recognises(index(tmp_path, "path,label"))
    assert not FolderSource().recognises(picture(tmp_path / "a.png", 1))


def test_a_folder_of_nothing_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds neither an index\.csv nor folders of images named by label; write"):
        scanned(tmp_path)


def test_masks_go_with_their_file_and_its_frames(tmp_path: Path) -> None:
    lines = ("a.avi,l,3,m/a3.png", "a.avi,l,5,", "a.avi,l,7,m/a7.png", "b.png,l,,m/b.png", "c.png,l,,")
    a, b, c = scanned(index(tmp_path, "path,label,frame,mask", *lines))
    assert a.companions == (tmp_path / "m/a3.png", tmp_path / "m/a7.png"), "a mask that changes is read again"
    assert a.known == Known((MaskFile(tmp_path / "m/a3.png", 3), MaskFile(tmp_path / "m/a7.png", 7)), "")
    assert (b.known.masks, c.known) == ((MaskFile(tmp_path / "m/b.png"),), None)


def test_the_size_of_a_pixel_is_believed_where_it_can_be(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / name, 1)
    path = index(tmp_path, "path,label,spacing_mm", "a.png,l,0.25", "b.png,l,unknown", "c.png,l,90")
    facts = [FolderSource().open(item).facts for item in scanned(path)]
    assert [each.spacing_mm for each in facts] == [(0.25, 0.25), None, None]
    assert [each.doubts for each in facts] == [
        (),
        ("spacing_mm is no number: left out",),
        ("spacing_mm of 90 is not between 0.001 and 10: left out",),
    ]

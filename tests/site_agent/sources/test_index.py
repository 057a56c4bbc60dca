from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import DataError
from site_agent.sources.index import Columns, Row, parse_columns, read_folders, read_index
from site_agent.sources.source import Refused


def write(folder: Path, text: str) -> Path:
    path = folder / "index.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_parsed() -> None:
    columns = parse_columns("site=site_group, patient=split_group")
    assert (columns.site, columns.patient, columns.label) == ("site_group", "split_group", "label")


@pytest.mark.parametrize("text", ["site", "site=", "colour=c"])
def test_wrong_columns_are_told_with_an_example(text: str) -> None:
    with pytest.raises(DataError, match=r"--columns: .*patient=PatientID"):
        parse_columns(text)


def test_a_full_row(tmp_path: Path) -> None:
    index = write(tmp_path, "path,label,patient,site,clip,frame,split\nx/a.png, healthy ,P1,north,c1,4,val\n")
    (row,) = read_index(index)
    assert (row.path, row.name) == (tmp_path / "x" / "a.png", "x/a.png")
    assert (row.label, row.patient, row.site, row.clip) == ("healthy", "P1", "north", "c1")
    assert (row.frame, row.fold) == (4, "validation")
    assert row.line == f"{index} line 2"


def test_a_row_that_says_as_little_as_it_may(tmp_path: Path) -> None:
    (row,) = read_index(write(tmp_path, "path,label\na.png,b\n"))
    assert (row.patient, row.site, row.clip, row.frame, row.fold) == ("", "", "", None, None)


def test_the_folder_of_an_index_will_do_and_a_byte_order_mark_too(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_bytes("path,label\na.png,b\n".encode("utf-8-sig"))
    assert read_index(tmp_path)[0].label == "b"


def test_to_predict_no_label_is_needed(tmp_path: Path) -> None:
    assert read_index(write(tmp_path, "path\na.png\n"), labelled=False)[0].label == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,diagnosis\na.png,b\n",
            r"no column 'label' for the label; its columns are: path, diagnosis; .*label=NAME",
        ),
        ("path;label\na.png;b\n", r"has no column 'path' for the path; its columns are: path;label"),
        ("", r"is empty"),
        ("path,label\n", r"lists no images"),
        ("path,label\na.png\n", r"line 2: column 'label' is empty"),
        ("path,label\n,b\n", r"line 2: column 'path' is empty"),
        ("path,label,frame\na.avi,b,1.5\n", r"line 2: frame '1.5' is not a whole number"),
        ("path,label,split\na.png,b,holdout\n", r"line 2: split 'holdout' is none of train, validation"),
    ],
)
def test_wrong_indexes_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_index(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_named_column_must_be_there_though_it_is_optional(tmp_path: Path) -> None:
    index = write(tmp_path, "path,label\na.png,b\n")
    with pytest.raises(DataError, match="has no column 'PatientID' for the patient"):
        read_index(index, Columns(patient="PatientID"))


def test_a_table_as_windows_programs_write_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes("path,label\nä.png,b\n".encode("cp1252"))
    assert read_index(path)[0].name == "ä.png"


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes(b"path,label\n\x81\x8d.png,b\n")
    with pytest.raises(DataError, match="is text neither in UTF-8 nor in Windows-1252"):
        read_index(path)


def test_a_missing_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        read_index(tmp_path / "index.csv")
    with pytest.raises(DataError, match=r"neither an index.csv nor a folder"):
        read_index(tmp_path / "nothing")


def test_a_folder_of_labels(tmp_path: Path) -> None:
    names = ("healthy/a.png", "healthy/P7/b.png", "ill/P7/deep/c.avi", ".git/x", "healthy/.DS_Store", "README", "d.png")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    rows = [(row.name, row.label, row.patient) for row in read_folders(tmp_path) if isinstance(row, Row)]
    assert rows == [
        ("d.png", "", ""),
        ("healthy/a.png", "healthy", ""),
        ("healthy/P7/b.png", "healthy", "P7"),
        ("ill/P7/deep/c.avi", "ill", "P7"),
    ]


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (found,) = read_folders(tmp_path)
    assert isinstance(found, Refused)
    assert "links are not followed" in found.reason


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds neither an index.csv nor folders of images"):
        list(read_folders(tmp_path))

"""Which view a file shows: by its name, by a list, by VIEW=FILE; one line on everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import DataError
from shared_models.phantom.volumes import NINE_PLANES
from site_agent.reconstruction.view_names import KNOWN, Named, named_views, view_named, view_of_file


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("A4C.png", "A4C"),
        ("a4c.PNG", "A4C"),
        ("4ch.png", "A4C"),
        ("apical 4 chamber.png", "A4C"),
        ("patient7_A2C_ED.dcm", "A2C"),
        ("08_a4ch-full.png", "A4C"),
        ("PSAX-mitral.png", "PSAX mitral"),
        ("psax_mv.png", "PSAX mitral"),
        ("plax.png", "PLAX"),
        ("Parasternal long axis.png", "PLAX"),
        ("RV inflow.png", "RV inflow"),
        ("A4C_4ch.png", "A4C"),
    ],
)
def test_a_file_is_named_by_its_view(name: str, view: str) -> None:
    assert view_of_file(Path(name)) == view


def test_every_view_has_its_own_name_and_every_other_name_means_one_of_them() -> None:
    assert [view_named(view, "") for view in NINE_PLANES] == list(NINE_PLANES)
    assert set(KNOWN.values()) == set(NINE_PLANES)


def test_files_are_named_by_themselves_by_a_list_or_one_by_one(tmp_path: Path) -> None:
    assert named_views(["a/A4C.png", "b/A2C.png"]) == [Named("A4C", Path("a/A4C.png")), Named("A2C", Path("b/A2C.png"))]
    assert named_views(["1.png", "2.png"], ["4ch", "plax"]) == [
        Named("A4C", Path("1.png")),
        Named("PLAX", Path("2.png")),
    ]
    assert named_views(["psax mitral=x.png"]) == [Named("PSAX mitral", Path("x.png"))]
    odd = tmp_path / "odd=A4C.png"
    odd.touch()
    assert named_views([str(odd)]) == [Named("A4C", odd)]


@pytest.mark.parametrize(
    ("files", "views", "told"),
    [
        ([], [], "reconstruct: no picture is given"),
        (["x.png"], [], "x.png: its name tells of no view; name the views"),
        (["A4C_A2C.png"], [], "A4C_A2C.png: its name tells of several views: A4C, A2C"),
        (["A4C.png", "4ch.png"], [], "4ch.png: shows view A4C, as A4C.png does"),
        (["A4C.png"], ["A9C"], "--views: there is no view 'A9C'; there are RV inflow"),
        (["A4C.png"], ["A4C", "A2C"], "--views: 2 views are named for 1 files"),
        (["A9C=x.png"], [], "A9C=x.png: there is no view 'A9C'"),
        (["A4C="], [], "reconstruct: names no file"),
    ],
)
def test_what_cannot_be_told_is_one_line(files: list[str], views: list[str], told: str) -> None:
    with pytest.raises(DataError) as error:
        named_views(files, views)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)

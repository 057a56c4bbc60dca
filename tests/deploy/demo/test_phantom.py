"""Made-up hospitals as the demonstration's images: label sets, who arrives, and held-back strangers."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from deploy.demo.data import arrival_order
from deploy.demo.phantom import SHORT_AXIS, coarse_hospitals, phantom_material, write_phantom
from deploy.phantom.provenance import NOTICE, read_provenance
from federated.errors import ConsiliumError
from shared_models.phantom.hospitals import HOSPITALS
from site_agent.sources.index import Row, parse_columns, read_index

PATIENTS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("phantom") / "data"
    write_phantom(place, PATIENTS)
    return place


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Row]:
    return read_index(folder, parse_columns(""))


def _taught(name: str) -> set[str]:
    return set(phantom_material(Path()).taught.get(name, ()))


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_four_arrive_and_two_only_test() -> None:
    material = phantom_material(Path("data"))
    assert [len(material.taught[name]) for name in material.arriving] == [8, 2, 11, 4]
    assert arrival_order(material, "") == ("agate", "beryl", "citrine", "diorite")
    assert material.testing == ("onyx", "quartz")
    assert len(material.labels) == len(material.names) == 15
    assert set(material.labels) < set(material.vocabulary.codes)
    assert material.names["399214001+contrast"] == "A4C+contrast"
    assert "phantom" in material.about


def test_the_folder_names_the_command_that_makes_it_again(folder: Path) -> None:
    said = read_provenance(folder)
    assert said
    assert said.command == f"consilium demo --patients {PATIENTS}"
    assert said.command in (folder / NOTICE).read_text()


def test_labels_that_a_site_does_not_teach_are_among_its_held_back_images(rows: list[Row]) -> None:
    for name in ("agate", "beryl", "citrine", "diorite"):
        own = [row for row in rows if row.site == name]
        assert {row.label for row in own if row.fold is None} <= _taught(name)
        strangers = {row.label for row in own if row.fold == "test"}
        assert strangers
        assert not strangers & _taught(name)
        folds = {(row.patient, row.fold) for row in own}
        assert len(folds) == len({patient for patient, _ in folds})


def test_external_sites_only_test(rows: list[Row]) -> None:
    patients = Counter(site for site, _ in {(row.site, row.patient) for row in rows})
    assert patients == {name: 9 if name in _arriving() else 3 for name in HOSPITALS}
    assert {row.fold for row in rows if row.site not in _arriving()} == {"test"}


def _arriving() -> tuple[str, ...]:
    return phantom_material(Path()).arriving


def test_machines_are_those_of_the_hospital(folder: Path) -> None:
    with (folder / "index.csv").open(encoding="utf-8") as file:
        seen = {(row["site"], row["machine"]) for row in csv.DictReader(file)}
    for name, hospital in HOSPITALS.items():
        assert {machine for site, machine in seen if site == name} <= set(hospital.machines)
    assert ("diorite", "fulmar") in seen
    assert ("citrine", "fulmar") in seen


def test_images_are_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path / "again", PATIENTS)
    assert _digest(tmp_path / "again") == _digest(folder)


def test_no_patients_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"^--patients: 0 is not from 1 to 99999$"):
        write_phantom(tmp_path / "none", 0)
    assert not list(tmp_path.iterdir())


def test_a_coarse_hospital_calls_every_level_the_short_axis() -> None:
    plain, coarse = phantom_material(Path()), phantom_material(Path(), ("citrine",))
    assert plain.words == {}
    assert set(coarse.words) == {"citrine"}
    assert set(coarse.words["citrine"].values()) == {SHORT_AXIS}
    levels = {code for code, name in plain.names.items() if name.startswith("PSAX")}
    assert set(coarse.words["citrine"]) == levels
    assert set(coarse.taught["citrine"]) == set(plain.taught["citrine"]) - levels | {SHORT_AXIS}
    assert coarse.taught["agate"] == plain.taught["agate"]
    assert coarse.names[SHORT_AXIS] == "PSAX"


def test_only_hospitals_that_name_levels_can_be_coarse() -> None:
    assert coarse_hospitals("") == ()
    assert coarse_hospitals("citrine, agate,citrine") == ("citrine", "agate")
    for name in ("beryl", "onyx", "nobody"):
        with pytest.raises(ConsiliumError, match=f"{name}: is no arriving hospital.*--coarse agate,citrine"):
            coarse_hospitals(name)

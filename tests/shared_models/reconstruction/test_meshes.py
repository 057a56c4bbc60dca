from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace

import meshio
import numpy as np
import pytest

from shared_models.phantom.patients import draw_patient
from shared_models.phantom.volumes import landmarks, picture_mm
from shared_models.reconstruction import meshes
from shared_models.reconstruction.meshes import (
    LANDMARK_TAGS,
    mesh_example,
    mesh_files,
    mesh_grid,
    mesh_landmarks,
    mesh_pools,
    mesh_walls,
    prepared,
    read_mesh,
    split_of,
)
from shared_models.reconstruction.shape_examples import ShapePlan, shape_example
from shared_models.reconstruction.tetrahedra import tags_on_lattice
from tests.shared_models.reconstruction.toy_meshes import heart_mesh, heart_tags, of_cubes, vtk_text

PATIENT = draw_patient(3)
STILL = ShapePlan(edge=32, jitter=False)


@lru_cache
def toy():
    return heart_mesh(PATIENT)


@lru_cache
def toy_example():
    return mesh_example(toy(), STILL)


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


def test_a_mesh_of_the_phantom_gives_the_pictures_of_the_phantom():
    ours, wanted = toy_example(), shape_example(PATIENT, "ED", STILL)
    assert ours.planes.shape == wanted.planes.shape == (9, 224, 224)
    assert ours.planes.dtype == np.float32
    assert ours.views == wanted.views
    assert (ours.patient, ours.moment) == (PATIENT.key, "ED")
    for view in ("PLAX", "A4C", "A5C"):  # landmarks lie in the planes in both
        number = ours.views.index(view)
        ventricle, other = (np.argwhere(each.planes[number] == 1) for each in (ours, wanted))
        size = [len(found) * each.picture_mm[number] ** 2 for found, each in ((ventricle, ours), (other, wanted))]
        assert size[0] == pytest.approx(size[1], rel=0.25), view
    assert set(np.unique(np.rint(ours.planes * 255))) == {0, 51, 102, 153, 204, 255}


def test_landmarks_are_those_of_the_phantom():
    at, wanted = mesh_landmarks(toy()), landmarks(PATIENT.heart, 0.0)
    tags, grid = heart_tags(PATIENT)
    points, cells, kinds = of_cubes(tags, grid)
    assert at.keys() == wanted.keys()
    shift = points[np.unique(cells[kinds != 5])].mean(axis=0)
    for name, limit in (("mitral valve", 12), ("tricuspid valve", 6), ("apex", 14)):
        assert np.linalg.norm(at[name] + shift - wanted[name]) < limit, name
    lean = (at["apex"] - at["mitral valve"]) / np.linalg.norm(at["apex"] - at["mitral valve"])
    assert lean[2] > 0.85  # the phantom's apex is at +z
    assert len(points) > len(toy().points)  # vertices that no cell uses are gone


def test_the_ventricle_holds_what_the_phantoms_does():
    assert toy_example().lv_volume_ml == pytest.approx(PATIENT.heart.motion.lv_volume(0.0), rel=0.06)


def test_pools_are_enclosed_and_no_walls():
    at = mesh_landmarks(toy())
    enclosed, own = mesh_pools(toy(), 64, at)
    assert (own <= enclosed).all()
    assert own.any()
    grid = mesh_grid(toy(), 64)
    solid = tags_on_lattice((toy().points - grid.origin) / grid.spacing_mm, toy().cells, toy().tags, (64,) * 3) > 0
    assert not (enclosed & solid).any()
    assert own.sum() * grid.spacing_mm**3 / 1000 == pytest.approx(PATIENT.heart.motion.lv_volume(0.0), rel=0.06)
    pools = mesh_example(toy(), ShapePlan(edge=64, views=("A4C",), target="left ventricle")).target
    assert np.array_equal(pools, own)


def test_a_ventricle_that_is_open_has_no_volume_and_no_pool():
    tags, grid = heart_tags(PATIENT)
    valve = np.argwhere(tags == 7)
    tags[tuple(valve[valve[:, 1] > valve[:, 1].min()].T)] = 0
    points, cells, kinds = of_cubes(tags, grid)
    leaking = prepared("leaking", points, cells, kinds)
    example = mesh_example(leaking, ShapePlan(edge=32, views=("A4C",)))
    assert np.isnan(example.lv_volume_ml)
    assert example.target.any()
    with pytest.raises(ValueError, match="leaking: its left ventricle is not closed at 32 voxels a side"):
        mesh_example(leaking, ShapePlan(edge=32, views=("A4C",), target="left ventricle"))


def test_voxels_are_those_of_the_vertices():
    points = np.array([[0.0, 0, 0], [30, 0, 0], [0, 18, 0], [0, 0, 12]])
    walls = mesh_walls(meshes.HeartMesh("one", points, np.array([[0, 1, 2, 3]]), np.array([1])), 32)
    assert walls.sum() == 4
    spacing = (30 + 12) / 32
    assert np.ptp(np.argwhere(walls), axis=0) == pytest.approx(np.array([30, 18, 12]) / spacing, abs=1)


def test_the_middle_is_the_origin_and_the_aorta_is_gone():
    assert toy().points.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-9)
    assert set(np.unique(toy().tags)) == set(LANDMARK_TAGS.values())


def test_jitter_is_that_of_its_seed_and_pictures_are_as_wide_as_the_phantoms(monkeypatch):
    monkeypatch.setattr(meshes, "FINE", 32)
    plan = ShapePlan(edge=32, views=("A2C",))
    first, again, other = (mesh_example(toy(), plan, seed).planes for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert toy_example().picture_mm[0] == pytest.approx(picture_mm(PATIENT.heart), rel=0.1)


def test_files_of_the_same_name_in_two_archives_stay_apart(tmp_path):
    for folder in (2, 10):
        for number in (1, 12, 3):
            path = tmp_path / f"archive_{folder}" / f"mesh_{number}.vtk"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    names = [name for name, _ in mesh_files(tmp_path)]
    assert names == [f"archive_{folder}-mesh_{number}" for folder in (2, 10) for number in (1, 3, 12)]
    with pytest.raises(ValueError, match=r"holds no meshes; they end in .vtk or .vtu"):
        mesh_files(tmp_path / "archive_3")


def test_the_split_is_the_authors():
    split = [split_of(number) for number in range(1, 1001)]
    assert [split.count(part) for part in ("train", "validation", "test")] == [750, 125, 125]
    assert (split[0], split[124], split[249], split[999]) == ("validation", "test", "train", "validation")
    with pytest.raises(ValueError, match="there is no mesh number 0: 1 to 1000"):
        split_of(0)


@pytest.fixture
def held(monkeypatch):
    """What a reader finds in a file, to be changed by a test."""
    tags, grid = heart_tags(PATIENT, 16)
    tags.ravel()[: len(LANDMARK_TAGS)] = list(LANDMARK_TAGS.values())  # so coarse that some would be missing
    points, cells, kinds = of_cubes(tags, grid)
    found = SimpleNamespace(
        points=points,
        cells=[SimpleNamespace(type="triangle", data=cells[:2, :3]), SimpleNamespace(type="tetra", data=cells)],
        cell_data={"elemTag": [np.zeros(2), kinds]},
    )
    monkeypatch.setattr(meshes, "import_module", lambda _: SimpleNamespace(read=lambda _: found))
    return found


def test_tetrahedra_are_told_from_other_cells(held, tmp_path):
    mesh = read_mesh(tmp_path / "one.vtk")
    assert mesh.name == "one"
    assert len(mesh.cells) == (held.cell_data["elemTag"][1] != 5).sum()
    assert read_mesh(tmp_path / "one.vtu", "first").name == "first"


def test_damage_is_told_in_one_line(held, tmp_path):
    kinds = held.cell_data["elemTag"][1]
    held.cell_data = {"elemTag": [np.zeros(2), np.where(kinds == 9, 1, kinds)]}
    with pytest.raises(ValueError, match=r"one.vtk: has no aortic valve \(tag 9\)"):
        read_mesh(tmp_path / "one.vtk")
    held.cell_data = {"elemTag": [np.zeros(2), kinds[:-1]]}
    with pytest.raises(ValueError, match=r"one.vtk: is damaged: cells, tags and points do not fit together"):
        read_mesh(tmp_path / "one.vtk")
    held.cell_data = {"elemTag": [np.zeros(2), kinds]}
    held.points[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"one.vtk: is damaged: a point lies at no finite place"):
        read_mesh(tmp_path / "one.vtk")
    held.points = held.points[:50]
    with pytest.raises(ValueError, match="do not fit together"):
        read_mesh(tmp_path / "one.vtk")
    held.cell_data = {"region": [np.zeros(2), kinds]}
    with pytest.raises(ValueError, match=r"says of no cell what it belongs to; 'elemTag' is missing"):
        read_mesh(tmp_path / "one.vtk")
    held.cells = held.cells[:1]
    with pytest.raises(ValueError, match="is damaged, or holds no tetrahedra"):
        read_mesh(tmp_path / "one.vtk")
    with pytest.raises(ValueError, match=r"one.stl: is no mesh that is read; they end in .vtk or .vtu"):
        read_mesh(tmp_path / "one.stl")


def test_without_the_reader_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(meshes, "import_module", missing)
    with pytest.raises(ValueError, match=r"one.vtk: needs meshio to be read: pip install 'consilium\[meshes\]'"):
        read_mesh(tmp_path / "one.vtk")


def test_a_mesh_has_no_ultrasound():
    with pytest.raises(ValueError, match="a mesh gives pictures of walls alone, no ultrasound"):
        mesh_example(toy(), ShapePlan(edge=32, pictures="ultrasound"))


def test_vtk_files_of_text_and_bytes_are_read(tmp_path):
    tags, grid = heart_tags(PATIENT)
    points, cells, kinds = of_cubes(tags, grid)
    (tmp_path / "text.vtk").write_text(vtk_text(points, cells, kinds))
    whole = meshio.Mesh(points, [("tetra", cells)], cell_data={"elemTag": [kinds.astype(np.int32)]})
    meshio.vtk.write(str(tmp_path / "bytes.vtk"), whole)
    meshio.vtu.write(str(tmp_path / "bytes.vtu"), whole)
    for name in ("text.vtk", "bytes.vtk", "bytes.vtu"):
        mesh = read_mesh(tmp_path / name)
        assert np.array_equal(mesh.tags, toy().tags)
        assert np.array_equal(mesh.cells, toy().cells)
        assert mesh.points == pytest.approx(toy().points, abs=1e-4)
    for size in (0, 30, 200, 100_000):
        (tmp_path / "cut.vtk").write_bytes((tmp_path / "text.vtk").read_bytes()[:size])
        with pytest.raises(ValueError, match=r"cut.vtk: (is damaged|says of no cell)"):
            read_mesh(tmp_path / "cut.vtk")
    with pytest.raises(ValueError, match=r"missing.vtk: is damaged"):
        read_mesh(tmp_path / "missing.vtk")

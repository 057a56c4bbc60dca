"""What identifies a patient is planted wherever a hospital's files can hold it, then looked for in every byte kept."""

from __future__ import annotations

import base64
import csv
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from pydicom import uid as uids
from scipy.ndimage import gaussian_filter

from shared_models.sector_geometry import Fan
from site_agent.home import SiteHome
from site_agent.intake.ingest import Order, ingest
from site_agent.intake.preparation import PixelRule
from site_agent.intake.quarantine import set_aside
from tests.shared_models.sector_toys import echoes, truth
from tests.site_agent.sources.dicom_making import dataset, write

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run

NAME, FIRST, NUMBER, BIRTH, STUDY = "Quartermain", "Zebulon", "MRN-7734501", "19610317", "20240229"
CLINIC, DOCTOR, PRIVATE, STREET = "Hildegardklinik", "Xylander", "privately-9981", "Nordwall"
UID = "1.2.840.99999.55512345"
PLANTED = (NAME, FIRST, NUMBER, BIRTH, STUDY, CLINIC, DOCTOR, PRIVATE, STREET, UID, "1961-03-17", "17.03.1961")
SHAPE = (230, 250)
FAN = Fan(y=8.0, x=125.0, near=6.0, far=205.0, left=-0.55, right=0.55)
INSIDE = truth(FAN, SHAPE).mask()
BLOCK = np.random.default_rng(99).integers(150, 255, (10, 24), dtype=np.uint8)  # burnt in, outside the sector
PATIENTS = 12


def echo(seed: int, inside: str = "") -> NDArray[np.uint8]:
    """A sector with the block and a name beside it, and text in it if any."""
    speckle = gaussian_filter(echoes(FAN, SHAPE, seed=seed).astype(np.float64), 2.0)
    image = Image.fromarray(np.where(INSIDE, speckle, 0).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.text((2, 214), f"{FIRST} {NAME}", fill=230)
    if inside:
        draw.text((62, 100), inside, fill=255, font=ImageFont.load_default(16))
    pixels = np.array(image)
    pixels[3:13, 3:27] = BLOCK
    assert not INSIDE[3:13, 3:27].any()
    return pixels


def png(path: Path, pixels: NDArray[np.uint8]) -> None:
    info = PngInfo()
    info.add_text("Patient", f"{FIRST} {NAME}")
    info.add_itxt("Clinic", CLINIC)
    Image.fromarray(pixels).save(path, pnginfo=info)


def jpeg(path: Path, pixels: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = f"{NAME} {BIRTH}", DOCTOR  # image description, artist
    Image.fromarray(pixels).save(path, quality=95, exif=exif, comment=NUMBER.encode())


def avi(path: Path, pixels: list[NDArray[np.uint8]]) -> None:
    with av.open(str(path), "w", format="avi") as container:
        container.metadata.update({"title": f"{NAME} {NUMBER}", "artist": DOCTOR, "comment": CLINIC})
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SHAPE, "yuvj420p"
        for frame in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())


def metaimage(path: Path, pixels: NDArray[np.uint8]) -> None:
    height, width = pixels.shape
    lines = [
        "ObjectType = Image",
        "NDims = 2",
        f"Comment = {NAME} {NUMBER}",
        f"PatientName = {NAME}",
        f"DimSize = {width} {height}",
        "ElementType = MET_UCHAR",
        "ElementDataFile = LOCAL",
        "",
    ]
    path.write_bytes("\n".join(lines).encode() + pixels.tobytes())


def index(folder: Path) -> Path:
    """One image a patient, of every form, with all that a hospital's table may say."""
    below = folder / f"{NAME}, {FIRST}" / BIRTH
    below.mkdir(parents=True)
    rows = []
    for number in range(PATIENTS):
        name = f"{NAME}_{NUMBER}_{number}.{('png', 'jpg', 'avi', 'mha')[number % 4]}"
        path, pixels = below / name, echo(number)
        if path.suffix == ".avi":
            avi(path, [pixels, echo(number + 100), pixels])
        else:
            {".png": png, ".jpg": jpeg, ".mha": metaimage}[path.suffix](path, pixels)
        rows.append((path.relative_to(folder).as_posix(), ("dark", "light")[number // 4 % 2], f"{NUMBER}-{number}"))
    png(below / f"{NAME}.png", echo(50, inside=f"{NAME} 17.03.1961"))
    rows.append((f"{NAME}, {FIRST}/{BIRTH}/{NAME}.png", "dark", "text inside"))
    (below / f"{DOCTOR}.png").write_bytes(NAME.encode())
    rows.append((f"{NAME}, {FIRST}/{BIRTH}/{DOCTOR}.png", "dark", NUMBER))
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "patient", "clip", "site", "notes", "birth"))
        for path_, label, patient in rows:
            writer.writerow((path_, label, patient, f"{NAME} {STUDY}", CLINIC, f"{DOCTOR}, {STREET} 5", "1961-03-17"))
    return folder


def dicoms(folder: Path) -> Path:
    """Files of one patient, with names in every kind of element, and in private ones."""
    below = folder / f"{NAME}^{FIRST}" / STUDY
    below.mkdir(parents=True)
    for number in range(3):
        made = dataset(np.stack([echo(200 + number), echo(210 + number)]))
        made.PatientName, made.PatientID, made.PatientBirthDate = f"{NAME}^{FIRST}", NUMBER, BIRTH
        made.StudyDate = made.SeriesDate = made.ContentDate = STUDY
        made.InstitutionName, made.InstitutionAddress = CLINIC, f"{STREET} 5"
        made.ReferringPhysicianName = made.OperatorsName = f"{DOCTOR}^A"
        made.StudyDescription = f"Echo of {NAME}, born 17.03.1961"
        made.SeriesDescription, made.ImageComments = f"for {DOCTOR}", f"{NUMBER} {NAME}"
        made.StudyInstanceUID = made.SeriesInstanceUID = UID
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uids.UID(f"{UID}.{number}")
        made.StationName, made.DeviceSerialNumber = CLINIC, PRIVATE
        made.Manufacturer, made.ManufacturerModelName = "Acme", "One"
        made.ViewName = ("dark", "light", "striped")[number]
        block = made.private_block(0x0011, f"{CLINIC} private", create=True)
        block.add_new(0x01, "LO", PRIVATE)
        block.add_new(0x02, "PN", f"{NAME}^{FIRST}")
        write(below / f"{NAME}.{number}.dcm", made)
    return folder


def spellings(word: str) -> Iterator[bytes]:
    """The bytes in which a word may be hidden: text, base64, hexadecimal, or a digest that can be guessed."""
    for form in {word, word.upper(), word.lower()}:
        for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
            data = form.encode(encoding)
            yield data
            yield data.hex().encode()
            for before in range(3):
                text = base64.b64encode(bytes(before) + data)
                yield text[-(-before * 8 // 6) + (1 if before else 0) : -4]
        for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256):
            yield digest(form.encode()).digest()[:8]
            yield digest(form.encode()).hexdigest()[:16].encode()


def found_in(folder: Path, words: tuple[str, ...] = PLANTED) -> set[tuple[str, str]]:
    """(file, word) of what identifies, in every file but the secret."""
    hits = set()
    wanted = [(word, spelling) for word in words for spelling in set(spellings(word)) if len(spelling) >= 6]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "secret":
            data = str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()
            hits |= {(path.name, word) for word, spelling in wanted if spelling in data}
    return hits


def rows_of_the_block(folder: Path) -> int:
    """How often a row of the planted block lies in a file."""
    data = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return sum(row.tobytes() in one for row in BLOCK for one in data)


def _take_in(home: SiteHome, root: Path, pixels: PixelRule = "sector", processes: int = 1) -> int:
    report = ingest(home.archive, home.vocabulary, home.label_map, root, Order(pixels=pixels, processes=processes))
    return report.images


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for number, encoding in enumerate(("utf-8", "latin-1", "utf-16-le", "utf-16-be")):
        (tmp_path / f"{number}").write_bytes(b"before " + NAME.encode(encoding) + b" after")
    for before in range(3):
        (tmp_path / f"b{before}").write_bytes(base64.b64encode(b"." * before + NAME.lower().encode() + b"xyz"))
    (tmp_path / "digest").write_bytes(hashlib.sha256(NUMBER.encode()).hexdigest().encode())
    (tmp_path / CLINIC.upper()).write_bytes(b"")
    found = found_in(tmp_path)
    assert {file for file, _ in found} == {path.name for path in tmp_path.iterdir()}
    assert {word for _, word in found} == {NAME, NUMBER, CLINIC}


def test_nothing_that_identifies_is_kept_or_leaves(
    federation: Federation, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    home = federation.join("ada")
    listed, exported = index(tmp_path / CLINIC / "images"), dicoms(tmp_path / CLINIC / "export")
    assert {word for _, word in found_in(tmp_path / CLINIC)} == set(PLANTED), "all the plants are there"
    caplog.clear()
    assert _take_in(home, listed) == PATIENTS + 6
    assert _take_in(home, exported) == 6
    reasons = {one.name: one.reason for one in set_aside(home.archive)}
    assert "burnt-in text inside the sector" in reasons[f"{NAME}, {FIRST}/{BIRTH}/{NAME}.png"]
    assert len(reasons) == 2
    assert found_in(home.path) == set()
    assert rows_of_the_block(home.frames_path) == 0

    federation.allow(home)
    assert run("preview").code == 0
    assert run("work").code == 0
    assert run("status", "--json").code == 0
    assert run("export", tmp_path / "stick").out
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "all").write_text(caplog.text)
    for folder in (home.path, tmp_path / "stick", tmp_path / "log", federation.coordinator.home.path):
        assert any(folder.iterdir())
        assert found_in(folder) == set()
    assert rows_of_the_block(home.path) == 0


def test_a_person_who_vouches_for_all_pixels_keeps_those_alone(federation: Federation, tmp_path: Path) -> None:
    home = federation.join("ada")
    assert _take_in(home, index(tmp_path / "images"), "whole") == PATIENTS + 6 + 1
    assert rows_of_the_block(home.frames_path) > 0, "so the search for pixels finds them"
    assert found_in(home.path) == set()


def test_a_stopped_or_failed_ingest_leaves_no_name_either(
    federation: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, root = federation.join("ada"), index(tmp_path / "images")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("site_agent.intake.ingest.close", stop)
    with pytest.raises(KeyboardInterrupt):
        _take_in(home, root, processes=2)
    assert home.archive.catalogue.rows("SELECT count(*) FROM clips") == [(PATIENTS,)]
    assert found_in(home.path) == set()
    shutil.rmtree(root)
    assert rows_of_the_block(home.path) == 0

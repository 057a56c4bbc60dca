"""The report on a training says what it was given, and shows hostile words as words."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from site_agent.overlay import colour_of
from site_agent.training_report.page import Picture, Report, Table, report_page, write_report
from tests.site_agent.page_reading import assert_needs_nothing_else, read_page

WHEN = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)
COLOURED = np.repeat(GREY[..., None], 3, axis=2)
HISTORY = [{"epoch": n, "loss": 1.0 / n} | ({"dice": 0.5 + n / 20} if n % 2 == 0 else {}) for n in range(1, 7)]
REPORT = Report(
    title="segmentation of b0001",
    facts=[("patients", 1234), ("best dice", 0.81239), ("network", "U-Net, 16 channels, 4 levels"), ("side", None)],
    history=HISTORY,
    tables=[
        Table("Structures", ["structure", "images", "Dice"], [["LV", 12, 0.9], ["LA", 7, None]], note="of the test")
    ],
    pictures=[
        Picture("p1, Dice 0.31", GREY, "the worst"),
        Picture("p2, Dice 0.88", COLOURED, "usual ones"),
        Picture("p3, Dice 0.35", GREY, "the worst"),
    ],
    key=[("left ventricle", colour_of(1))],
    best=4,
    about=["site north"],
    notes=["left out: 3 images"],
)
HOSTILE = "<u>&\"'"


def test_it_is_well_formed_and_needs_nothing_else() -> None:
    assert_needs_nothing_else(report_page(REPORT, WHEN))
    assert_needs_nothing_else(report_page(Report("nothing"), WHEN))


def test_it_says_what_it_was_given() -> None:
    words = read_page(report_page(REPORT, WHEN)).words
    for word in (
        *("segmentation of b0001", "site north", "2026-03-04 05:06 UTC", "1,234", "patients", "0.812", "best dice"),
        "left out: 3 images",
        *("network: U-Net, 16 channels, 4 levels", "Structures", "LV", "0.900", "–", "of the test"),
        *("loss: 0.167 in epoch 6, 0.250 in epoch 4, which was kept", "the worst", "usual ones", "p2, Dice 0.88"),
        *("left ventricle", "consilium site train"),
    ):
        assert word in words, word


def test_each_figure_has_a_curve_over_the_epochs_that_have_it() -> None:
    page = report_page(REPORT, WHEN)
    loss, dice = re.findall(r'<polyline class="curve" points="([^"]+)"', page)
    assert (len(loss.split()), len(dice.split())) == (6, 3)
    assert page.count('<circle class="best"') == 2, "the epoch that was kept, in both"
    assert "<polyline" not in report_page(Report("diverged", history=[{"epoch": 1, "loss": float("nan")}]), WHEN)


def test_pictures_stand_in_their_groups() -> None:
    page = report_page(REPORT, WHEN)
    worst, usual = page.split("<h3>")[1:]
    assert (worst.count("<img"), usual.count("<img")) == (2, 1)
    shown = [np.asarray(Image.open(io.BytesIO(b64decode(each)))) for each in re.findall(r"base64,([^\"]+)", page)]
    assert np.array_equal(shown[0], GREY)
    assert np.array_equal(shown[2], COLOURED)


def test_pictures_of_two_side_by_side_have_room() -> None:
    pairs = Report(
        "pairs", pictures=[Picture("both", np.concatenate([GREY, GREY], axis=1), "pairs"), Picture("", GREY)]
    )
    assert re.findall(r'<div class="(gallery[a-z ]*)">', report_page(pairs, WHEN)) == ["gallery pairs", "gallery"]


def test_columns_of_numbers_stand_to_the_right() -> None:
    page = report_page(REPORT, WHEN)
    assert '<th class="">structure</th><th class="number">images</th><th class="number">Dice</th>' in page
    assert '<td class="">LA</td><td class="number">7</td><td class="number">–</td>' in page


def test_numbers_are_written_for_people() -> None:
    values = [0.0, 0.00012, 0.25, 1234.5, float("inf"), 12345, None, "as it is"]
    words = read_page(
        report_page(Report("numbers", tables=[Table("", ["n"], [[value] for value in values])]), WHEN)
    ).words
    assert [word for word in words if word in {"0.000", "0.00012", "0.250", "1,234", "–", "12,345", "as it is"}] == [
        *("0.000", "0.00012", "0.250", "1,234", "–", "12,345", "–", "as it is")
    ]


def test_an_empty_report_is_its_title() -> None:
    reader = read_page(report_page(Report("nothing"), WHEN))
    assert not {"section", "table", "svg", "img"} & set(reader.elements)


def test_hostile_words_are_words() -> None:
    report = Report(
        title=HOSTILE,
        facts=[(HOSTILE, HOSTILE), (HOSTILE, HOSTILE * 3)],
        history=[{"epoch": 1, HOSTILE: 2.0}],
        tables=[Table(HOSTILE, [HOSTILE], [[HOSTILE]], note=HOSTILE)],
        pictures=[Picture(HOSTILE, GREY, HOSTILE)],
        key=[(HOSTILE, (1, 2, 3))],
        about=[HOSTILE],
    )
    reader = read_page(report_page(report, WHEN))
    assert "".join(reader.words).count(HOSTILE) == 2 + 1 + 2 + 4 + 1 + 4 + 2 + 1
    assert "u" not in reader.elements


def test_it_is_written_for_its_owner_only(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", REPORT)
    assert (tmp_path / "report.html").stat().st_mode & 0o077 == 0
    assert_needs_nothing_else((tmp_path / "report.html").read_text())

"""What is kept of an item: exact where geometry says so, dark where nothing may be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from federated.errors import DataError
from shared_models.sector import Sector
from shared_models.sector_geometry import Fan, Parallelogram
from site_agent.intake import preparation as module
from site_agent.intake.preparation import MOST_FRAMES, WORKING_SIDE, Prepared, Rules, Transform, evenly, prepare
from site_agent.sources.source import Annotation, Facts, Opened
from tests.shared_models.sector_toys import FAN, SHAPE, echoes, truth, with_interface

Gray = NDArray[np.uint8]
TALL = (480, 640)
WIDE_FAN = Fan(y=16.0, x=320.0, near=12.0, far=420.0, left=-0.7, right=0.7)
SMALL = echoes(FAN)[:112, 104:216]


def item(frames: Gray, *annotations: Annotation, moving: bool = True, **facts: Any) -> Opened:
    return Opened(
        count=len(frames),
        moving=moving,
        facts=Facts(**facts),
        frames=lambda: iter(list(frames)),
        annotations=lambda: annotations,
    )


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Settles what is found in the pixels: a sector, a mode, text, marks."""

    def settle(sector: Sector | None = None, mode: str = "b", text: Sequence[Any] = (), marks: Any = None) -> None:
        monkeypatch.setattr(module, "find_sector", lambda _: sector)
        monkeypatch.setattr(module, "image_mode", lambda _: mode)
        monkeypatch.setattr(module, "find_texts", lambda *_: [tuple(text)])
        monkeypatch.setattr(module, "find_marks", lambda *_: marks)

    return settle


def test_small_frames_come_out_bit_for_bit(found: Callable[..., None]) -> None:
    found()
    frames = np.random.default_rng(0).integers(0, 255, (5, 112, 90), dtype=np.uint8)
    prepared = prepare(item(frames), Rules())
    assert prepared.state == "taken"
    assert np.array_equal(prepared.frames, frames)
    assert (prepared.numbers, prepared.count) == ((0, 1, 2, 3, 4), 5)
    assert (prepared.sector, prepared.spacing_mm, prepared.blanked) == (None, None, None)


def test_colours_become_luma(found: Callable[..., None]) -> None:
    found()
    frames = np.zeros((1, 60, 60, 3), dtype=np.uint8)
    frames[:, :30, :, 0] = 255
    assert set(np.unique(prepare(item(frames), Rules()).frames)) == {0, 76}  # 0.299 * 255, ITU-R 601


def test_what_lies_outside_the_sector_is_nought(found: Callable[..., None]) -> None:
    sector = truth(FAN)
    found(sector)
    frames = np.stack([with_interface(echoes(FAN, seed=seed)) for seed in range(3)])[:, :, :256]
    sector = Sector(sector.kind, sector.geometry, (240, 256), 1.0)
    found(sector)
    prepared = prepare(item(frames), Rules())
    outside = ~sector.mask()
    assert frames[:, outside].any()
    assert not prepared.frames[:, outside].any()
    assert np.array_equal(prepared.frames[:, sector.mask()], frames[:, sector.mask()])
    assert prepared.blanked is not None
    assert 0 < prepared.blanked.bright < 1
    assert prepared.blanked.pixels == pytest.approx(outside.mean())


def test_marks_inside_the_sector_are_nought(found: Callable[..., None]) -> None:
    marks = np.zeros(SHAPE, dtype=bool)
    marks[100:104, 100:200] = True
    found(truth(FAN), marks=marks)
    prepared = prepare(item(echoes(FAN)[None]), Rules())
    unmarked = prepare(item(np.where(marks, 0, echoes(FAN)).astype(np.uint8)[None]), Rules())
    assert np.array_equal(prepared.frames, unmarked.frames)


def test_a_large_image_is_cut_to_the_sectors_box_and_shrunk(found: Callable[..., None]) -> None:
    sector = truth(WIDE_FAN, TALL)
    found(sector)
    frames = echoes(WIDE_FAN, TALL)[None]
    prepared = prepare(item(frames, spacing_mm=(0.5, 0.5)), Rules())
    x0, y0, x1, y1 = sector.box()
    factor = WORKING_SIDE / max(x1 + 1 - x0, y1 + 1 - y0)
    assert max(prepared.frames.shape) == WORKING_SIDE
    assert prepared.frames.shape[1:] == (round((y1 + 1 - y0) * factor), round((x1 + 1 - x0) * factor))
    assert prepared.spacing_mm == pytest.approx((0.5 / factor, 0.5 / factor), rel=0.005)
    assert prepared.sector is not None
    assert prepared.sector.shape == prepared.frames.shape[1:]
    covered = prepared.frames[0] > 0
    assert not (covered & ~_grown(prepared.sector.mask())).any()


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With the neighbours of every pixel: one on the border is a mean of old ones on both sides."""
    padded = np.pad(mask, 1)
    parts = [
        padded[1 + y : 1 + y + mask.shape[0], 1 + x : 1 + x + mask.shape[1]] for y in (-1, 0, 1) for x in (-1, 0, 1)
    ]
    return np.logical_or.reduce(parts)


def test_each_new_pixel_is_the_mean_of_those_it_covers(found: Callable[..., None]) -> None:
    found()
    frames = np.random.default_rng(1).integers(0, 255, (2, 512, 1024), dtype=np.uint8)
    prepared = prepare(item(frames), Rules())
    means = frames.reshape(2, 128, 4, 256, 4).mean(axis=(2, 4))
    assert prepared.frames.shape == (2, 128, 256)
    assert np.abs(prepared.frames - means).max() <= 1.0


@pytest.mark.parametrize(
    ("spacing", "size"),
    [((0.2, 0.4), (50, 160)), ((0.4, 0.2), (100, 80)), ((0.4, 0.401), (100, 160))],
    ids=["rows are close", "columns are close", "as good as square"],
)
def test_pixels_become_square(found: Callable[..., None], spacing: tuple[float, float], size: tuple[int, int]) -> None:
    found()
    frames = np.random.default_rng(2).integers(0, 255, (1, 100, 160), dtype=np.uint8)
    prepared = prepare(item(frames, spacing_mm=spacing), Rules())
    assert prepared.frames.shape[1:] == size
    assert prepared.spacing_mm is not None
    height, width = prepared.spacing_mm
    assert height * size[0] == pytest.approx(100 * spacing[0])
    assert width * size[1] == pytest.approx(160 * spacing[1])
    assert height == pytest.approx(width, rel=0.01)


POINT = st.tuples(st.floats(0, 600), st.floats(0, 500))


@given(st.integers(0, 300), st.integers(0, 200), st.integers(20, 300), st.integers(20, 300), st.integers(8, 256), POINT)
def test_points_follow_the_pixels(
    x0: int, y0: int, width: int, height: int, side: int, point: tuple[float, float]
) -> None:
    transform = Transform((x0, y0, x0 + width - 1, y0 + height - 1), (side, side))
    corners = np.array([[x0 - 0.5, y0 - 0.5], [x0 + width - 0.5, y0 + height - 0.5], point])
    first, last, moved = transform.points(corners)
    assert first == pytest.approx([-0.5, -0.5], abs=1e-6)
    assert last == pytest.approx([side - 0.5, side - 0.5], abs=1e-6)
    back = (moved + 0.5) / np.array(transform.scale) - 0.5 + [x0, y0]
    assert back == pytest.approx(point, abs=1e-6)
    chord = transform.points(np.array([[*point, *corners[0]]]))[0]
    assert chord == pytest.approx([*moved, *first], abs=1e-6)


def test_masks_and_points_lie_where_the_image_shows_them(found: Callable[..., None]) -> None:
    found(truth(WIDE_FAN, TALL))
    frame = np.zeros(TALL, dtype=np.uint8)
    y, x = np.mgrid[: TALL[0], : TALL[1]]
    blob = np.hypot(y - 200.0, x - 330.0) < 40
    frame[blob] = 200
    drawn = (
        Annotation(0, "lv", "mask", blob.astype(np.uint8)),
        Annotation(0, "middle", "points", np.array([[330.0, 200.0]])),
        Annotation(0, "axis", "chords", np.array([[330.0, 160.0, 330.0, 240.0]])),
    )
    prepared = prepare(item(frame[None], *drawn), Rules())
    bright, mask = prepared.frames[0] > 100, prepared.tensors["mask.lv"][0].astype(bool)
    assert (bright & mask).sum() / (bright | mask).sum() > 0.97
    assert prepared.tensors["mask.lv.at"].tolist() == [0]
    middle = np.argwhere(bright).mean(axis=0)[::-1]
    assert prepared.tensors["points.middle.0"][0] == pytest.approx(middle, abs=0.3)
    axis = prepared.tensors["chords.axis.0"][0]
    assert axis[3] - axis[1] == pytest.approx(2 * np.sqrt(bright.sum() / np.pi), rel=0.03)


def test_masks_of_small_images_stay_as_they_are(found: Callable[..., None]) -> None:
    found()
    masks = np.random.default_rng(3).integers(0, 4, (2, 60, 60), dtype=np.uint8)
    drawn = [Annotation(number, "heart", "mask", mask) for number, mask in enumerate(masks)]
    frames = np.random.default_rng(4).integers(0, 255, (3, 60, 60), dtype=np.uint8)
    tensors = prepare(item(frames, *drawn), Rules()).tensors
    assert np.array_equal(tensors["mask.heart"], masks)
    assert tensors["mask.heart.at"].tolist() == [0, 1]


def test_what_cannot_be_is_left_out_and_told(found: Callable[..., None]) -> None:
    found()
    frames = np.random.default_rng(5).integers(0, 255, (4, 60, 60), dtype=np.uint8)
    drawn = (
        Annotation(1, "lv", "mask", np.zeros((59, 60), dtype=np.uint8)),
        Annotation(4, "lv", "mask", np.zeros((60, 60), dtype=np.uint8)),
        Annotation(2, "lv", "mask", np.ones((60, 60), dtype=np.uint8)),
    )
    prepared = prepare(item(frames, *drawn, ejection_fraction=250.0, end_diastole=4, end_systole=3), Rules())
    assert prepared.state == "taken"
    assert (prepared.facts.ejection_fraction, prepared.facts.end_diastole, prepared.facts.end_systole) == (
        None,
        None,
        3,
    )
    assert prepared.facts.doubts == (
        "an ejection fraction of 250 % cannot be: left out",
        "end-diastole in frame 4 of 4 cannot be: left out",
        "the mask 'lv' has 60x59 pixels, its frame 1 has 60x60: left out",
        "the mask 'lv' does not fit frame 4 of 4: left out",
    )
    assert prepared.tensors["mask.lv.at"].tolist() == [2]


def test_end_diastole_after_end_systole_is_told_and_kept(found: Callable[..., None]) -> None:
    found()
    frames = np.random.default_rng(5).integers(0, 255, (4, 60, 60), dtype=np.uint8)
    facts = prepare(item(frames, end_diastole=3, end_systole=1), Rules()).facts
    assert (facts.end_diastole, facts.end_systole) == (3, 1)
    assert facts.doubts == ("end-diastole is said to be in frame 3, after end-systole: kept as it is said",)


@pytest.mark.parametrize("fraction", [0.0, 55.5, 100.0])
def test_what_can_be_stays(found: Callable[..., None], fraction: float) -> None:
    found()
    prepared = prepare(item(SMALL[None], ejection_fraction=fraction, end_diastole=0), Rules())
    assert (prepared.facts.ejection_fraction, prepared.facts.end_diastole) == (fraction, 0)
    assert prepared.facts.doubts == ()


def test_annotations_that_cannot_be_read_cost_only_themselves(found: Callable[..., None]) -> None:
    found()

    def broken() -> tuple[Annotation, ...]:
        raise DataError("the mask has another shape than its image")

    opened = Opened(1, False, Facts(), lambda: iter([SMALL]), broken)
    prepared = prepare(opened, Rules())
    assert prepared.facts.doubts == ("the mask has another shape than its image",)
    assert prepared.tensors == {}


@pytest.mark.parametrize(
    ("mode", "name"), [("colour", "colour Doppler"), ("m", "M-mode"), ("spectral", "spectral Doppler")]
)
def test_other_modes_are_kept_apart_whoever_says_so(found: Callable[..., None], mode: Any, name: str) -> None:
    found(mode=mode)
    screen = np.tile(SMALL, (3, 3))[None]
    seen = prepare(item(screen), Rules())
    found()
    said = prepare(item(screen, mode=mode), Rules(cleared=True))
    for prepared in (seen, said):
        assert (prepared.state, prepared.reason) == ("apart", f"is {name}, and no B-mode image")
        assert prepared.facts.mode == mode
        assert prepared.frames.size == 0


def test_small_images_are_asked_for_no_mode(found: Callable[..., None]) -> None:
    found(mode="m")
    assert prepare(item(SMALL[None]), Rules()).state == "taken"


def test_what_a_header_says_of_the_mode_counts_more_than_the_pixels(found: Callable[..., None]) -> None:
    found(mode="m")
    assert prepare(item(SMALL[None], mode="b"), Rules()).state == "taken"


TEXT = [(10, 10, 40, 18)]


@pytest.mark.parametrize(
    ("sector", "rules", "facts", "state"),
    [
        (True, Rules(), {}, "quarantined"),
        (False, Rules(), {}, "quarantined"),
        (True, Rules(cleared=True), {}, "taken"),
        (True, Rules(pixels="whole"), {}, "taken"),
        (True, Rules(), {"masked": True}, "quarantined"),
    ],
    ids=["inside", "without a sector", "cleared", "whole", "masked by its publisher"],
)
def test_text_is_for_a_person_to_look_at(
    found: Callable[..., None], sector: bool, rules: Rules, facts: dict[str, Any], state: str
) -> None:
    found(truth(FAN) if sector else None, text=TEXT)
    prepared = prepare(item(echoes(FAN)[None], **facts), rules)
    assert prepared.state == state
    where = "inside the sector" if sector else "in an image without a sector"
    where = "in an image that is said to be masked" if facts else where
    assert state == "taken" or prepared.reason == f"may show burnt-in text {where}; a person must look at it"


def test_without_a_sector_it_is_for_a_person_to_look_at_where_one_is_needed(found: Callable[..., None]) -> None:
    doubtful = Sector(truth(FAN).kind, FAN, SHAPE, 0.4)
    for sector in (None, doubtful):
        found(sector)
        assert prepare(item(echoes(FAN)[None]), Rules(needs_sector=True)).state == "quarantined"
        assert prepare(item(echoes(FAN)[None]), Rules(needs_sector=True, cleared=True)).state == "taken"
        assert prepare(item(echoes(FAN)[None]), Rules()).state == "taken"
        machines_own = item(echoes(FAN)[None], header=Dataset())
        assert prepare(machines_own, Rules()).state == "quarantined"


def test_a_cleared_image_still_loses_what_lies_outside(found: Callable[..., None]) -> None:
    found(truth(FAN), text=TEXT)
    frames = with_interface(echoes(FAN))[None]
    cleared = prepare(item(frames, spacing_mm=(1.0, 1.0)), Rules(cleared=True))
    whole = prepare(item(frames), Rules(pixels="whole"))
    assert cleared.blanked is not None
    assert whole.blanked is None
    assert whole.frames.astype(int).sum() > cleared.frames.astype(int).sum()


def test_a_long_clip_keeps_frames_from_the_first_to_the_last(found: Callable[..., None]) -> None:
    found()
    count = MOST_FRAMES + 300
    frames = np.random.default_rng(6).integers(0, 255, (count, 8, 8), dtype=np.uint8)
    prepared = prepare(item(frames), Rules())
    assert (prepared.count, len(prepared.frames)) == (count, MOST_FRAMES)
    assert (prepared.numbers[0], prepared.numbers[-1]) == (0, count - 1)
    assert set(np.diff(prepared.numbers)) <= {1, 2}
    assert np.array_equal(prepared.frames, frames[list(prepared.numbers)])


def test_what_is_cut_away_is_let_go() -> None:
    frames = np.zeros((3, 100, 100), dtype=np.uint8)
    assert not np.shares_memory(Transform((10, 20, 29, 49), (30, 20)).images(frames), frames)


def test_no_more_is_held_than_may_be(found: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    found(truth(FAN))
    frames = np.stack([echoes(FAN, seed=seed) for seed in range(7)])
    at_once = prepare(item(frames), Rules())
    held: list[int] = []
    real = module.blank

    def counted(pixels: Gray, *rest: Any) -> Any:
        held.append(len(pixels))
        return real(pixels, *rest)

    monkeypatch.setattr(module, "blank", counted)
    monkeypatch.setattr(module, "RAW_BYTES", 3 * frames[0].nbytes)
    in_parts = prepare(item(frames), Rules())
    assert held == [3, 3, 1]
    assert np.array_equal(in_parts.frames, at_once.frames)


@pytest.mark.parametrize(("what", "state"), [({"text": TEXT}, "quarantined"), ({"mode": "colour"}, "apart")])
def test_what_comes_later_than_what_is_held_first_is_looked_at(
    found: Callable[..., None], monkeypatch: pytest.MonkeyPatch, what: dict[str, Any], state: str
) -> None:
    frames = np.zeros((7, 240, 240), dtype=np.uint8)
    frames[:, ::2], frames[6, 0, 0] = 200, 255
    found()
    monkeypatch.setattr(module, "RAW_BYTES", 3 * frames[0].nbytes)
    if "text" in what:
        monkeypatch.setattr(module, "find_texts", lambda some, _: [TEXT if (some == 255).any() else ()])
    else:
        monkeypatch.setattr(module, "image_mode", lambda some: "colour" if (some == 255).any() else "b")
    assert prepare(item(frames[:6]), Rules()).state == "taken"
    assert prepare(item(frames), Rules()).state == state
    assert prepare(item(frames), Rules(cleared=True)).state == ("taken" if "text" in what else state)


def test_what_is_said_to_be_masked_is_looked_at_as_a_whole(found: Callable[..., None]) -> None:
    outside = echoes(FAN)
    outside[~truth(FAN).mask()] = 0
    outside[0, 0] = 255
    found(truth(FAN))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            module, "find_texts", lambda some, places: [TEXT if some[0, 0, 0] == 255 and places[0][0, 0] else ()]
        )
        assert prepare(item(outside[None], masked=True), Rules()).state == "quarantined"
        assert prepare(item(outside[None]), Rules()).state == "taken"


def test_text_outside_the_sector_is_counted_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Image.new("L", (400, 200))
    pen = ImageDraw.Draw(page)
    pen.text((20, 10), "Okonkwo, Adaeze", font=ImageFont.load_default(size=16), fill=255)
    pen.text((20, 150), "MRN 4711-0815", font=ImageFont.load_default(size=16), fill=255)
    pen.rectangle((100, 70, 300, 110), fill=120)
    sector = Sector("linear", Parallelogram(top=60, bottom=120, left=20, right=380), (200, 400), 1.0)
    monkeypatch.setattr(module, "find_sector", lambda _: sector)
    prepared = prepare(item(np.asarray(page)[None]), Rules())
    assert prepared.state == "taken"
    assert prepared.blanked is not None
    assert prepared.blanked.text_outside == 2
    assert prepared.frames.max() == 120
    cleared = prepare(item(np.asarray(page)[None]), Rules(cleared=True))
    assert cleared.blanked == prepared.blanked


@pytest.mark.parametrize(("shape", "looked_at"), [((40, 300), True), ((47, 47), False), ((48, 48), True)])
def test_strips_are_looked_at(found: Callable[..., None], shape: tuple[int, int], looked_at: bool) -> None:
    found(text=TEXT)
    frames = np.random.default_rng(3).integers(0, 255, (1, *shape), dtype=np.uint8)
    assert (prepare(item(frames), Rules()).state == "quarantined") is looked_at


def test_frames_may_be_asked_for(found: Callable[..., None]) -> None:
    found()
    frames = np.random.default_rng(7).integers(0, 255, (9, 16, 16), dtype=np.uint8)
    prepared = prepare(item(frames), Rules(), [7, 2])
    assert prepared.numbers == (7, 2)
    assert np.array_equal(prepared.frames, frames[[7, 2]])
    with pytest.raises(DataError, match="has no frame 9"):
        prepare(item(frames), Rules(), [3, 9])
    still = prepare(item(frames[:1], moving=False), Rules(), [14])
    assert still.numbers == (14,)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.zeros((0, 16, 16), np.uint8), "holds no frame"),
        (np.ones((1, 400, 2), np.uint8), "2x400 pixels"),
        (np.ones((3, 16, 16), np.uint8), "every pixel has the same value"),
    ],
    ids=["no frames", "a line", "nothing to see"],
)
def test_what_shows_nothing_says_so(frames: Gray, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        prepare(item(frames), Rules())


def test_a_sector_with_an_interface_around_it_as_it_is_really_found() -> None:
    frames = with_interface(echoes(FAN))[None]
    prepared: Prepared = prepare(item(frames), Rules(needs_sector=True))
    assert prepared.state == "taken"
    sector = truth(FAN)
    wanted = sector.cropped(sector.box())
    wanted = wanted.scaled(WORKING_SIDE / max(wanted.shape))
    assert prepared.sector is not None
    assert prepared.frames.shape[1:] == pytest.approx(wanted.shape, abs=4)
    same = tuple(min(sides) for sides in zip(wanted.shape, prepared.frames.shape[1:], strict=True))
    shown = prepared.frames[0, : same[0], : same[1]] > 0
    assert (shown & ~_grown(wanted.mask()[: same[0], : same[1]])).mean() < 0.01


@given(st.integers(1, 2000), st.integers(1, 600))
def test_evenly_spaced_numbers_begin_and_end_with_the_ends(count: int, most: int) -> None:
    numbers = evenly(count, most)
    assert len(numbers) == len(set(numbers)) == min(count, most)
    assert numbers[0] == 0
    assert most == 1 or numbers[-1] == count - 1
    assert max(np.diff(numbers), default=1) - min(np.diff(numbers), default=1) <= 1

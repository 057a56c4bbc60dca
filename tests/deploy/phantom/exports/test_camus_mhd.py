"""The MetaImage release: oblong pixels, and two folders that number their patients apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.phantom.exports.camus_clips import camus_values, half_beats
from tests.deploy.phantom.reading import meta_image

Export = tuple[Path, Any]


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("camus-mhd", patients=7, frames=8, size=96)


def _cfg(path: Path) -> dict[str, str]:
    return dict(line.split(": ") for line in path.read_text().splitlines())


def test_patients_are_numbered_in_each_folder(export: Export) -> None:
    folder, _ = export
    assert sorted(path.name for path in (folder / "testing").iterdir()) == ["patient0001"]
    assert len(list((folder / "training").iterdir())) == 6
    assert (folder / "training" / "patient0006").is_dir(), "the seventh patient"


def test_only_training_has_references_and_volumes(export: Export) -> None:
    folder, _ = export
    training, testing = (_cfg(folder / part / "patient0001" / "Info_4CH.cfg") for part in ("training", "testing"))
    both = ["ED", "ES", "NbFrame", "Sex", "Age", "ImageQuality"]
    assert list(training) == [*both, "LVedv", "LVesv", "LVef"]
    assert list(testing) == both
    assert not list((folder / "testing").rglob("*_gt.*"))
    assert len(list((folder / "training").rglob("*_gt.mhd"))) == 6 * 4
    volumes = float(training["LVedv"]), float(training["LVesv"])
    assert 100 * (1 - volumes[1] / volumes[0]) == pytest.approx(float(training["LVef"]), abs=0.5)


def test_pixels_are_twice_as_wide_as_high_and_nothing_else_changes(export: Export) -> None:
    folder, order = export
    for beat in half_beats(order, 1):
        stem = folder / "training" / "patient0001" / f"patient0001_{beat.view}"
        edge = beat.clip.take.spacing_mm
        sequence, spacing = meta_image(Path(f"{stem}_sequence.mhd"))
        assert spacing == pytest.approx((2 * edge, edge, 1))
        np.testing.assert_array_equal(sequence, beat.clip.masked[:, :, ::2])
        said = _cfg(folder / "training" / "patient0001" / f"Info_{beat.view}.cfg")
        for moment in ("ED", "ES"):
            frame = int(said[moment]) - 1
            still, _ = meta_image(Path(f"{stem}_{moment}.mhd"))
            truth, _ = meta_image(Path(f"{stem}_{moment}_gt.mhd"))
            np.testing.assert_array_equal(still[0], sequence[frame])
            np.testing.assert_array_equal(truth[0], camus_values(beat.clip.labels[frame])[:, ::2])
            square = np.repeat(truth[0], 2, axis=1) == 1
            assert square.sum() * edge**2 == pytest.approx((beat.clip.labels[frame] == 2).sum() * edge**2, rel=0.05)

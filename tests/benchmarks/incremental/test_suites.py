"""The lists of suites and presets."""

from __future__ import annotations

from benchmarks.incremental.suites import PRESETS, QUICK, SUITES, WITHOUT_IMAGES


def test_six_suites_of_which_one_is_a_table() -> None:
    assert list(SUITES) == ["phantom", "phantom-factored", "lung", "breast", "heart-table", "digits"]
    assert WITHOUT_IMAGES == ("heart-table",)


def test_the_paper_s_preset_is_the_paper_s() -> None:
    setting = PRESETS["paper"].setting
    assert (setting.side, setting.width, setting.expert_epochs, setting.fusion_epochs) == (112, 64, 200, 50)
    assert (setting.fusion_samples, setting.batch, setting.copies) == (666 * 64, 64, 5)


def test_small_presets_are_smaller() -> None:
    for name in ("width", "expert_epochs", "side", "fusion_samples"):
        sizes = [getattr(preset.setting, name) for preset in (QUICK, PRESETS["cpu"], PRESETS["paper"])]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[2]

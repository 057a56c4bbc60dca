"""The suites and the presets of the contest. A new suite is its file, its test and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.incremental.contestant import Setting
from benchmarks.incremental.digits import digits
from benchmarks.incremental.heart_table import heart_table
from benchmarks.incremental.phantom_hospitals import phantom, phantom_factored
from benchmarks.incremental.real_images import breast, lung
from benchmarks.incremental.suite import Preset, Suite

SUITES: Mapping[str, Callable[[int, Preset], Suite]] = {
    "phantom": phantom,
    "phantom-factored": phantom_factored,
    "lung": lung,
    "breast": breast,
    "heart-table": heart_table,
    "digits": digits,
}
WITHOUT_IMAGES = ("heart-table",)
PRESETS: Mapping[str, Preset] = {
    "cpu": Preset(
        Setting(
            side=32,
            width=16,
            expert_epochs=10,
            fusion_epochs=20,
            fusion_samples=8192,
            batch=32,
            copies=2,
            processes=2,
        ),
        patients=140,
        cases=None,
        digit_side=16,
        orders=4,
    ),
    "paper": Preset(
        Setting(
            side=112,
            width=64,
            expert_epochs=200,
            fusion_epochs=50,
            fusion_samples=42_624,
            batch=64,
            copies=5,
            processes=1,
        ),
        patients=400,
        cases=None,
        digit_side=32,
        orders=6,
    ),
}
QUICK = Preset(
    Setting(side=16, width=4, expert_epochs=1, fusion_epochs=2, fusion_samples=256, batch=16, copies=1),
    patients=12,
    cases=36,
    digit_side=16,
    orders=2,
)

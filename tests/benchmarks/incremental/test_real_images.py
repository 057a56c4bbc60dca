"""Real ultrasound as sites."""

from __future__ import annotations

from pathlib import Path

from benchmarks.incremental.real_images import BREAST_ORDER, LUNG_ORDERS, breast
from benchmarks.incremental.suites import QUICK
from benchmarks.lung_data import ORDER


def test_two_sites_of_breasts_of_which_one_is_small(shared_data: Path) -> None:
    assert shared_data.is_dir()
    suite = breast(1, QUICK)
    assert [site.name for site in suite.sites] == list(BREAST_ORDER)
    assert [site.labels for site in suite.sites] == [("benign", "malignant", "normal"), ("benign", "malignant")]
    sizes = [sum(len(fold.local.labels) for fold in site.folds.values()) for site in suite.sites]
    assert sizes[0] > 10 * sizes[1] > 0
    homes = [set(fold.local.patients) for fold in suite.sites[0].folds.values()]
    assert sum(map(len, homes)) == len(set.union(*homes))
    assert suite.sites[0].folds["train"].images.shape[1:] == (QUICK.setting.side, QUICK.setting.side)


def test_orders_of_lungs_are_of_all_sources() -> None:
    assert all(sorted(order) == sorted(ORDER) for order in LUNG_ORDERS)
    assert len(set(LUNG_ORDERS)) == len(LUNG_ORDERS)

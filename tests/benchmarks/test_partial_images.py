"""Every hospital has every view of every patient, and its patients are other people at other seeds."""

from __future__ import annotations

import numpy as np

from benchmarks.partial_images import MACHINES, VIEWS, hospitals


def test_every_view_of_every_patient_is_there() -> None:
    images = hospitals(1, seed=3)
    assert images.features.shape[0] == len(MACHINES) * len(VIEWS)
    assert (images.features[:, -1] == 1).all()
    assert images.views.tolist() == list(VIEWS) * len(MACHINES)
    assert images.sites.tolist() == [site for site in MACHINES for _ in VIEWS]
    chosen = images.rows(images.sites == "north")
    assert chosen.patients.tolist() == [0] * len(VIEWS)
    again = hospitals(1, seed=4)
    assert not np.array_equal(images.features, again.features)

from __future__ import annotations

import numpy as np

from benchmarks.peak_memory import peak_of


def test_what_is_held_for_a_while_is_seen() -> None:
    def held(megabytes):
        return np.ones(megabytes * 2**17).sum()

    held(1)
    assert 60 * 2**20 < peak_of(lambda: held(64)) < 80 * 2**20
    assert peak_of(lambda: held(1)) < 16 * 2**20  # the former peak is forgotten

from __future__ import annotations

import numpy as np

from deploy.phantom.seeds import name_of, seed_of, share_of


def test_a_seed_depends_on_every_word_and_on_nothing_else() -> None:
    assert seed_of(1, "a", 2) == 7207999916064586904  # half the first eight bytes of sha256 of "1/a/2"
    assert len({seed_of(1, "a", 2), seed_of(2, "a", 2), seed_of(1, "b", 2), seed_of(1, "a", 3), seed_of(1, "a")}) == 5
    assert 0 <= seed_of(0) < 2**63


def test_shares_are_uniform() -> None:
    shares = np.array([share_of(3, number) for number in range(4000)])
    assert 0.0 <= shares.min() < 0.01
    assert 0.99 < shares.max() < 1.0
    np.testing.assert_allclose(np.histogram(shares, 4, (0, 1))[0], 1000, atol=120)


def test_a_name_is_sixteen_hexadecimal_digits() -> None:
    names = {name_of(1, number) for number in range(100)}
    assert len(names) == 100
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)

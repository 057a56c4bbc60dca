"""What is refused says why, with a status of HTTP."""

from __future__ import annotations

import pytest

from federated.web.exchange import Missing, Refused


def test_what_is_missing_is_refused() -> None:
    with pytest.raises(Refused, match="no such page") as refused:
        raise Missing
    assert refused.value.status == 404

"""A room with answers, made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from federated.audit_pages.room import Room
from tests.federated.audit.conftest import TRUST, make_record, whole
from tests.federated.audit_pages.making import room_of, story

__all__ = ["make_record", "whole"]


@pytest.fixture(scope="session")
def told(whole: Any, make_federation: Callable[..., Any]) -> Any:
    """A record in which hospitals tell of their answers; nobody changes it."""
    return story(whole, make_federation())


@pytest.fixture(scope="session")
def room(told: Any, tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Its room, with the hospitals' own keys."""
    return room_of(told, tmp_path_factory.mktemp("room"), TRUST)

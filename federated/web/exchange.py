"""What a page is asked with, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from federated.web.access import Person


@dataclass(frozen=True)
class Seen:
    """A request that was let through: who asks, and what, all of it text from outside.

    Attributes:
        who: the person.
        path: what stands in the address where the route has names in braces.
        query: what follows the question mark.
        form: fields of the form; empty where nothing was sent.
    """

    who: Person
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rendered:
    """A page: its template, and what it shows; `heading` has to be in it."""

    template: str
    context: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True)
class Moved:
    """Another page, after a form was taken in: a path of this house."""

    to: str


@dataclass(frozen=True)
class Attachment:
    """A file to be kept."""

    data: bytes
    media_type: str
    name: str


Answer = Rendered | Moved | Attachment
Endpoint = Callable[[Seen], Answer]


@dataclass(frozen=True)
class Route:
    """One page: who may see it, in this role or one that may more; what sends something needs the method POST."""

    path: str
    role: str
    endpoint: Endpoint
    methods: tuple[str, ...] = ("GET",)


class Refused(Exception):  # noqa: N818 - it is no error but an answer
    """Something that is not answered: a status of HTTP, and what is said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class Missing(Refused):
    """There is no such thing."""

    def __init__(self, said: str = "There is no such page.") -> None:
        super().__init__(404, said)

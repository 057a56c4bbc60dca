"""The site's own store of de-identified images: what was taken in, the working images, and the secret behind names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from site_agent.catalogue import Catalogue
from site_agent.frame_cache import FrameCache
from site_agent.sealing import Seal


@dataclass(frozen=True)
class Archive:
    """Where images go that are taken in.

    Attributes:
        catalogue_path: of the index (SQLite); made where it is not there.
        frames_path: folder of working images.
        secret: of the site.
    """

    catalogue_path: Path
    frames_path: Path
    secret: bytes

    @cached_property
    def catalogue(self) -> Catalogue:
        """The index."""
        return Catalogue(self.catalogue_path)

    @cached_property
    def cache(self) -> FrameCache:
        """The working images."""
        return FrameCache(self.frames_path)

    @cached_property
    def seal(self) -> Seal:
        """What makes names unreadable for others."""
        return Seal(self.secret)

    def name(self, sealed: bytes) -> str:
        """A name as the hospital has it."""
        return self.seal.open(sealed)

from __future__ import annotations

from pathlib import Path

import numpy as np

from site_agent.archive import Archive
from site_agent.home import SiteHome
from tests.site_agent.intake_making import archive_in


def test_its_parts_are_made_once_in_their_places(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    assert archive.catalogue is archive.catalogue
    assert archive.cache is archive.cache
    assert archive.seal is archive.seal
    assert archive.catalogue.path == tmp_path / "catalogue.sqlite"
    archive.cache.stage("ab", {"frames": np.zeros((1, 8, 8), np.uint8)})
    archive.cache.settle("ab")
    assert (tmp_path / "frames" / "ab" / "ab.safetensors").is_file()


def test_nothing_is_written_before_it_is_used(tmp_path: Path) -> None:
    archive_in(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_read_with_the_sites_secret(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    assert archive.name(archive.seal.close("Mustermann.dcm")) == "Mustermann.dcm"


def test_a_home_has_one_with_its_own_secret(home: SiteHome) -> None:
    assert home.archive == Archive(home.catalogue_path, home.frames_path, home.secret())

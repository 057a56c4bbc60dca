"""The page on a training of contours."""

from __future__ import annotations

from pathlib import Path

from federated.enrolment import Kit
from shared_models.contour_training import ERROR
from site_agent.contour.report import report
from site_agent.tasks.contour import train
from tests.site_agent.contour_making import BATCH, SIZE, contour_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


def test_it_has_the_best_epoch_figures_and_pictures(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = contour_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])
    done = train(home, BATCH)
    found = report(home, done)
    assert found.best == min(done.history, key=lambda epoch: epoch[ERROR])["epoch"]
    assert dict(found.facts)["epochs"] == 2
    assert {picture.group for picture in found.pictures} == {"the worst", "about the middle"}
    for picture in found.pictures:
        height, width, colours = picture.pixels.shape
        assert (width, colours) == (2 * (width // 2), 3)
        assert height > 32

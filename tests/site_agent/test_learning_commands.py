"""Training, measuring and applying experts at the command line, and the one line on each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli_w

from federated.enrolment import Kit
from site_agent.home import SiteHome
from tests.site_agent.segmentation_making import segmentation_home
from tests.site_agent.sources.conftest import Exported, exported

if TYPE_CHECKING:
    from tests.site_agent.conftest import Run

__all__ = ["exported"]

SIZE = {"patients": 8, "frames": 8, "size": 64}


@pytest.fixture
def root(exported: Exported) -> Path:
    return exported("camus", **SIZE)[0]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, root: Path) -> SiteHome:
    home = segmentation_home(tmp_path / "ada", kit, root)
    (home.path / "config.toml").write_text(tomli_w.dumps(home.config.model_dump(mode="json")))
    return home


def test_train_then_evaluate_then_predict(run: Run, home: SiteHome, root: Path) -> None:
    trained = run("train", "--task", "segmentation", "--report", "page.html")
    assert (trained.code, trained.err) == (0, "")
    assert "trained in 2 epochs" in trained.out
    assert Path("page.html").stat().st_size > 1000
    told = json.loads(run("train", "--task", "segmentation", "--report", "page.html", "--json").out)
    assert (told["epochs"], Path(told["expert"]).parent) == (2, home.experts / "own")
    measured = run("evaluate", "--task", "segmentation")
    assert (measured.code, measured.err) == (0, "")
    assert "95 % intervals by patient" in measured.out
    assert json.loads(run("evaluate", "--task", "segmentation", "--json").out)["fits"]
    image = next(root.rglob("patient0001_4CH_ED.nii.gz"))
    for words in (("evaluate",), ("predict", image, "--out", "none")):
        strange = run(*words, "--task", "segmentation", "--by", "average")
        assert (strange.code, strange.err) == (1, "consilium: --by: there is no expert 'average', there are ada\n")
    assert not Path("none").exists()
    assert (
        run("predict", image, "--task", "segmentation", "--out", "found", "--by", "ada").out
        == "wrote 1 image into found\n"
    )
    assert {path.suffix for path in Path("found").iterdir()} == {".png", ".jsonl"}


def test_what_a_person_should_know_of_a_training_is_said(
    run: Run, tmp_path: Path, kit: Kit, exported: Exported
) -> None:
    few = segmentation_home(tmp_path / "few", kit, exported("camus", **SIZE | {"patients": 1})[0])
    (few.path / "config.toml").write_text(tomli_w.dumps(few.config.model_dump(mode="json")))
    trained = run("train", "--task", "segmentation", "--home", str(few.path))
    assert (trained.code, trained.err) == (0, "")
    assert "note: no validation patient: the last epoch is kept" in trained.out


def test_each_mistake_is_one_line(run: Run, home: SiteHome, root: Path) -> None:
    image = next(root.rglob("patient0001_4CH_ED.nii.gz"))
    wrong = {
        ("train", "--task", "knitting"): "there is no task 'knitting'",
        ("train", "--task", "segmentation", "--batch", "b0009"): "there is no batch 'b0009', there are b0001",
        ("evaluate", "--task", "segmentation"): "no expert of segmentation is here; consilium site train",
        ("evaluate", "1", "--task", "segmentation"): "fused where the image is, and not in a release",
        ("predict", image, "--task", "segmentation", "--format", "bmp"): "'bmp' is none of png, nifti",
        ("predict", image, "--task", "segmentation"): "no expert of segmentation is here",
        ("predict", image, "--by", "ada"): "a release answers for views, and no expert alone; name a --task",
        ("evaluate", "--by", "ada"): "a release answers for views, and no expert alone; name a --task",
    }
    for words, told in wrong.items():
        result = run(*words)
        assert result.code == 1, words
        assert told in result.err
        assert len(result.err.splitlines()) == 1
    assert not (home.experts / "own").exists()


def test_a_side_that_does_not_fit_the_network_names_its_section(run: Run, home: SiteHome) -> None:
    settings = home.config.segmentation.model_copy(update={"side": 50})
    config = home.config.model_copy(update={"segmentation": settings})
    (home.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
    result = run("train", "--task", "segmentation")
    assert result.code == 1
    assert "take a multiple of 4; mend [segmentation] of config.toml" in result.err

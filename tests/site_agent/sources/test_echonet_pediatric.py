from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.exports.echonet_pediatric import SHOTS
from deploy.phantom.exports.layout import patient_of, record
from deploy.phantom.pictures import cine
from federated.errors import DataError
from shared_models.phantom.labels import LV
from site_agent.sources.echonet import outline
from site_agent.sources.echonet_dynamic import EchoNetDynamicSource
from site_agent.sources.echonet_pediatric import EchoNetPediatricSource
from site_agent.sources.images import luma
from site_agent.sources.source import Item, Refused
from tests.deploy.phantom.reading import dice, filled
from tests.site_agent.sources.conftest import Exported

SOURCE = EchoNetPediatricSource()
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, order = exported("echonet-pediatric", patients=2, frames=8, size=0)
    assert SOURCE.recognises(folder)
    assert SOURCE.recognises(folder / "pediatric_echo_avi")
    assert not EchoNetDynamicSource().recognises(folder)
    items = [each for each in SOURCE.scan(folder) if isinstance(each, Item)]
    assert [item.label for item in items] == ["A4C", "A4C", "PSAX", "PSAX"]
    for place, item in enumerate(items):
        number = place % 2 + 1
        patient = patient_of(order, number)
        clip = record(order, number, patient, SHOTS[item.label], "godwit", size=(112, 112))
        opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
        facts = opened.facts
        assert (item.fold, facts.doubts, opened.count) == (None, (), 8)
        assert facts.ejection_fraction == pytest.approx(clip.ejection_fraction, abs=1e-5)
        assert (facts.end_diastole, facts.end_systole) == (clip.take.end_diastole, clip.take.end_systole)
        assert facts.words == {"sex": {"F": "female", "M": "male"}[patient.sex]}
        person = {"age_years": patient.age, "weight_kg": patient.weight_kg, "height_cm": patient.height_cm}
        assert facts.measures == pytest.approx(person, abs=0.06)
        assert np.abs(luma(np.stack(list(opened.frames()))).astype(int) - clip.images).mean() < 2
        for each in opened.annotations():
            assert (each.name, each.kind, each.values.shape) == ("lv", "polygon", (32, 2))
            assert dice(filled(outline(each), (112, 112)), clip.labels[each.frame] == LV) > 0.93


def test_a_patient_is_what_stands_before_the_first_dash(tmp_path: Path) -> None:
    view = tmp_path / "pediatric_echo_avi" / "pediatric_echo_avi" / "PSAX"
    (view / "Videos").mkdir(parents=True)
    names = ["CRa-CRb-000036", "CRa-CRc-000024", "CRd-CRb-000036"]
    for name in names:
        (view / "Videos" / f"{name}.avi").write_bytes(cine(FRAMES, 20))
    rows = (f"{name}.avi,{fraction},X,900,1,2,7\n" for name, fraction in zip(names, ("55", "250", ""), strict=True))
    (view / "FileList.csv").write_text("FileName,EF,Sex,Age,Weight,Height,Split\n" + "".join(rows))
    found = list(SOURCE.scan(tmp_path))
    items = [each for each in found if isinstance(each, Item)]
    assert [item.patient for item in items] == ["CRa", "CRa", "CRd"]
    assert [each.reason for each in found if isinstance(each, Refused)] == ["is not there: no frame has a tracing"]
    facts = [SOURCE.open(item).facts for item in items]
    assert [each.ejection_fraction for each in facts] == [55, None, None]
    assert [len(each.doubts) for each in facts] == [2, 3, 2]
    assert facts[0].measures == {"weight_kg": 1.0}
    assert facts[0].words == {}


def test_other_folders_are_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "A4C").mkdir()
    assert not SOURCE.recognises(tmp_path)
    with pytest.raises(DataError, match="holds neither A4C nor PSAX with FileList"):
        list(SOURCE.scan(tmp_path))

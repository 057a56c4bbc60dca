"""The phantom's codes are concepts of a vocabulary, SNOMED CT's where DICOM has the view."""

from __future__ import annotations

from pydicom.sr.codedict import codes

from shared_models.phantom.hospitals import HOSPITALS, label_of
from shared_models.phantom.views import VIEWS
from site_agent.sources.phantom import heart_vocabulary

OF_VOLUMES = "398994001"  # the five-chamber view: in DICOM's context group 501, not in 12226


def test_snomed_codes_are_dicoms_image_views() -> None:
    known = {code.value for code in codes.cid12226.concepts.values()}
    used = {concept.code for concept in heart_vocabulary().concepts if concept.scheme == "SCT"}
    assert used - known == {OF_VOLUMES}
    assert len(used) == 10


def test_every_label_of_every_hospital_is_known() -> None:
    vocabulary = heart_vocabulary()
    labels = {label_of(name) for hospital in HOSPITALS.values() for name in hospital.labels}
    assert labels < set(vocabulary.codes)
    assert len(vocabulary.codes) == 2 * len(VIEWS)


def test_contrast_is_a_private_code_beside_the_view() -> None:
    concepts = {concept.code: concept for concept in heart_vocabulary().concepts}
    plain, filled = concepts["399214001"], concepts["399214001+contrast"]
    assert (plain.scheme, plain.meaning) == ("SCT", "apical four-chamber")
    assert (filled.scheme, filled.meaning) == ("99CONSILIUM", "apical four-chamber, with contrast")
    assert concepts["SC-IVC"].scheme == "99CONSILIUM"

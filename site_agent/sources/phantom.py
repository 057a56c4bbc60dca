"""The vocabulary of phantom images, whose labels are plain code strings.

There is no reader here: phantom images are PNG or AVI files with an ``index.csv``, which the readers of images take in.
Codes of DICOM's views are SNOMED CT's; our own codes, and those of a view with contrast, are in a private scheme, until
contrast is an attribute beside the view.
"""

from __future__ import annotations

from federated.vocabulary import Concept, Vocabulary
from shared_models.phantom.hospitals import CONTRAST, label_of
from shared_models.phantom.views import VIEWS, View

NAME = "phantom heart"
SNOMED, PRIVATE = "SCT", "99CONSILIUM"


def heart_vocabulary() -> Vocabulary:
    """Every view of the phantom, then every view with contrast in the left ventricle."""
    views = [_plain(view) for view in VIEWS.values()]
    return Vocabulary(name=NAME, concepts=(*views, *(_with_contrast(view) for view in VIEWS.values())))


def _plain(view: View) -> Concept:
    return Concept(code=label_of(view.name), scheme=PRIVATE if view.private else SNOMED, meaning=view.meaning)


def _with_contrast(view: View) -> Concept:
    return Concept(code=label_of(view.name + CONTRAST), scheme=PRIVATE, meaning=f"{view.meaning}, with contrast")

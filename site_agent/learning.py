"""What a site can learn by itself, kind by kind: experts trained, measured and applied at its own command.

A new kind is its task under `tasks`, its test, and one line in `LEARNING`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federated.errors import ConsiliumError
from site_agent import view_learning
from site_agent.catalogue import Catalogue
from site_agent.contour import evaluation as contour_evaluation
from site_agent.contour import prediction as contour_prediction
from site_agent.contour import report as contour_report
from site_agent.reconstruction import evaluation as reconstruction_evaluation
from site_agent.reconstruction import prediction as reconstruction_prediction
from site_agent.reconstruction import report as reconstruction_report
from site_agent.registration import evaluation as registration_evaluation
from site_agent.registration import prediction as registration_prediction
from site_agent.registration import report as registration_report
from site_agent.retrieval import evaluation as retrieval_evaluation
from site_agent.retrieval import prediction as retrieval_prediction
from site_agent.retrieval import report as retrieval_report
from site_agent.segmentation import evaluation as segmentation_evaluation
from site_agent.segmentation import prediction as segmentation_prediction
from site_agent.segmentation import report as segmentation_report
from site_agent.tasks import contour, reconstruction, registration, retrieval, segmentation

if TYPE_CHECKING:
    from site_agent.expert_predictions import Written
    from site_agent.home import SiteHome
    from site_agent.local_experts import Trained
    from site_agent.sources.index import Columns
    from site_agent.training_report.page import Report, Table


@dataclass(frozen=True)
class Training:
    """One kind of expert, as it is trained.

    Attributes:
        train: home, batch -> the expert, trained once.
        report: home, expert -> what a person should see of its training.
    """

    train: Callable[[SiteHome, str], Trained]
    report: Callable[[SiteHome, Trained], Report]


@dataclass(frozen=True)
class Learning(Training):
    """One kind of expert that is also measured and applied by itself, and not in a release.

    Attributes:
        forms: in which it writes what it predicts, the first where nothing is said.
        evaluate: home, names of experts -> figures of all that are here, or of those, on the site's held-back patients.
        tables: home, figures -> the same for a person.
        predict: home, images, folder, form, columns of indexes, names of experts -> what was written.
    """

    forms: tuple[str, ...]
    evaluate: Callable[[SiteHome, Sequence[str]], Any]
    tables: Callable[[SiteHome, Any], Sequence[Table]]
    predict: Callable[[SiteHome, Sequence[Path], Path, str, Columns | None, Sequence[str]], Written]


LEARNING: dict[str, Learning] = {
    "contour": Learning(
        forms=contour_prediction.FORMS,
        train=contour.train,
        report=contour_report.report,
        evaluate=contour_evaluation.evaluate,
        tables=contour_evaluation.tables,
        predict=contour_prediction.predict,
    ),
    "registration": Learning(
        forms=registration_prediction.FORMS,
        train=registration.train,
        report=registration_report.report,
        evaluate=registration_evaluation.evaluate,
        tables=registration_evaluation.tables,
        predict=registration_prediction.predict,
    ),
    "reconstruction": Learning(
        forms=reconstruction_prediction.FORMS,
        train=reconstruction.train,
        report=reconstruction_report.report,
        evaluate=reconstruction_evaluation.evaluate,
        tables=reconstruction_evaluation.tables,
        predict=reconstruction_prediction.predict,
    ),
    "retrieval": Learning(
        forms=retrieval_prediction.FORMS,
        train=retrieval.train,
        report=retrieval_report.report,
        evaluate=retrieval_evaluation.evaluate,
        tables=retrieval_evaluation.tables,
        predict=retrieval_prediction.predict,
    ),
    "segmentation": Learning(
        forms=tuple(segmentation_prediction.WRITERS),
        train=segmentation.train,
        report=segmentation_report.report,
        evaluate=segmentation_evaluation.evaluate,
        tables=segmentation_evaluation.tables,
        predict=segmentation_prediction.predict,
    ),
}


TRAINING: dict[str, Training] = {"views": Training(view_learning.train, view_learning.report), **LEARNING}


def training(task: str) -> Training:
    """What can be trained under a name.

    Raises:
        ConsiliumError: nothing of that name.
    """
    if task not in TRAINING:
        raise ConsiliumError(f"there is no task '{task}', there are {', '.join(TRAINING)}", where="--task")
    return TRAINING[task]


def learning(task: str) -> Learning:
    """What can be measured and applied under a name.

    Raises:
        ConsiliumError: nothing of that name.
    """
    if task not in LEARNING:
        raise ConsiliumError(f"there is no task '{task}', there are {', '.join(TRAINING)}", where="--task")
    return LEARNING[task]


def batch_named(home: SiteHome, name: str) -> str:
    """A batch by its name; the newest where none is given.

    Raises:
        ConsiliumError: there is none.
    """
    there = Catalogue(home.catalogue_path).batches()
    if not there:
        raise ConsiliumError("no images yet", where=str(home.path), cure="consilium site ingest FOLDER")
    if name and name not in there:
        raise ConsiliumError(f"there is no batch '{name}', there are {', '.join(there)}", where="--batch")
    return name or there[-1]

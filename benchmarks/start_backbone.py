"""Is a backbone that has seen the phantom alone worth its place? Beside features that learnt nothing.

Two machines are kept back from its training. Phantom views taken with them, by few patients, and real ultrasound of
lungs and breasts are then told apart by linear heads on its features, on those of the same network with random
weights, and on the fixed front ends.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import real_data
from benchmarks.claims import Claim, Measured, Row, at_least, told
from benchmarks.front_ends import BREAST, LUNG, outcome
from benchmarks.patient_folds import ImageSet, load, paired_interval
from deploy.phantom.backbone import BackboneOrder, train_backbone
from deploy.phantom.backbone_frames import POPULATIONS, heart_machines
from deploy.phantom.backbone_record import BackboneRecord
from shared_models.front_ends import create_front_end
from shared_models.phantom.views import VIEWS
from site_agent.progress import track

Array = NDArray[np.float64]
Features = Callable[[NDArray[np.uint8]], Array]

KEPT_BACK = ("dunlin", "eider")  # an old, contrasty machine and a wide, sharp one
FIRST_PATIENT = 20_000_000  # seeds far from those of the training
FIRST_SPLIT = 500
TAUGHT, TUNED = 6, 3  # patients of a machine whose views a head learns, and is chosen by
TEXTURE, BACKBONE, RANDOM, BOTH = "texture", "timm: start backbone", "timm: random weights", "texture beside backbone"
VIEWS_RIGHT, CLIPS, BALANCED = "views right, %", "clips right, %", "balanced, %"
WHAT = """
PHANTOM: the backbone has seen computed images alone, of all machines but two. Its figures on phantom views say how
features carry over to another machine, not how well patients' views are told apart.
"""
PROTOCOL = """
Phantom: a linear head learns the 13 views from six patients of the machine, three more choose its penalty, all others
are asked; mean and standard deviation (sd) over draws of the patients. Lung (convex probe) and breast: as in the
benchmark of the front ends. The interval of a difference draws patients with replacement. All of it is one training
with one seed; the network with random weights has one seed too, and its batch norms are as made.
"""
NOTES = tuple(" ".join(note.split()) for note in (WHAT, PROTOCOL))


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        order: what the backbone is trained on.
        patients: of each machine kept back.
        splits: draws of the patients whose views are learnt.
        repeats: shuffles of the folds on real images.
    """

    order: BackboneOrder
    patients: int
    splits: int
    repeats: int


ORDER = BackboneOrder(machines=heart_machines(without=KEPT_BACK))
FULL = Effort(ORDER, patients=40, splits=10, repeats=5)
QUICK = Effort(replace(ORDER, architecture="test_resnet", images=104, epochs=2, size=64), 12, 2, 2)


def measure(*, quick: bool) -> Measured:
    """Every kind of features on phantom views of two machines, on lungs and on breasts."""
    effort = QUICK if quick else FULL
    views = {machine: unseen_views(machine, effort.patients) for machine in KEPT_BACK}
    real = {"Lung ultrasound, convex probe, four sources": convex_lungs()}
    if not quick:
        real["Breast ultrasound"] = load(*BREAST)
    with tempfile.TemporaryDirectory() as folder:
        record = train_backbone(Path(folder) / "start.safetensors", effort.order)
        features = candidates(Path(folder), effort.order)
        rows = [row for machine, data in views.items() for row in on_phantom(machine, data, features, effort.splits)]
        for table, data in real.items():
            rows += on_real(table, data, features, effort.repeats)
    return Measured(rows=tuple(rows), claims=tuple(claims(rows, record)), notes=NOTES)


def candidates(folder: Path, order: BackboneOrder) -> dict[str, Features]:
    """The front ends, with the weights in the folder and with random ones; the constant 1 is not among features."""
    from safetensors.torch import save_file

    from shared_models.start_backbone import new_network

    save_file(
        {name: tensor.contiguous() for name, tensor in new_network(order.settings()).state_dict().items()},
        folder / "random.safetensors",
    )
    config: dict[str, str | int] = {"architecture": order.architecture, "size": order.size}
    texture, pixels = create_front_end("texture").extract, create_front_end("pixels").extract
    start, random = (
        create_front_end("timm", weights_file=folder / f"{name}.safetensors", **config).extract
        for name in ("start", "random")
    )
    return {
        TEXTURE: texture,
        "pixels": pixels,
        RANDOM: random,
        BACKBONE: start,
        BOTH: lambda image: np.concatenate([texture(image), start(image)]),
    }


def unseen_views(machine: str, patients: int) -> ImageSet:
    """All views of patients, taken with one machine as it comes: numbers of views as labels."""
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), patients)) as pool:
        shown = pool.map(partial(_views_of, machine), range(patients))
        images = [image for views in track(shown, total=patients, what=f"frames of {machine}") for image in views]
    patient, view = np.divmod(np.arange(len(images)), len(VIEWS))
    return ImageSet(images, view, patient, np.arange(len(images)), np.zeros(len(images), np.int64))


@threadpool_limits.wrap(1)
def _views_of(machine: str, number: int) -> list[NDArray[np.uint8]]:
    from shared_models.phantom.patients import draw_patient
    from shared_models.phantom.study import still

    random = np.random.default_rng([FIRST_PATIENT, number])
    patient = draw_patient(FIRST_PATIENT + number, str(random.choice(list(POPULATIONS), p=list(POPULATIONS.values()))))
    return [
        still(patient, view, machine, phase=float(random.random()), seed=number, size=(112, 112)).image
        for view in VIEWS
    ]


def convex_lungs() -> ImageSet:
    """The lung set without the frames of another probe, which are of another shape."""
    data = load(*LUNG)
    with (real_data.LUNG / "index.csv").open(encoding="utf-8") as file:
        convex = np.array([line["probe"] == "convex" for line in csv.DictReader(file)])
    return some(data, convex)


def some(data: ImageSet, taken: NDArray[np.bool_]) -> ImageSet:
    """Some of the images, with everything numbered anew."""
    columns = (column[taken] for column in (data.label, data.patient, data.clip, data.site))
    images = [data.images[row] for row in np.flatnonzero(taken)]
    return ImageSet(images, *(np.unique(column, return_inverse=True)[1] for column in columns))


def on_phantom(machine: str, data: ImageSet, features: Mapping[str, Features], splits: int) -> list[Row]:
    """One row for each kind of features, with its difference from the first."""
    rows: list[Row] = []
    first: Array | None = None
    for name, extract in features.items():
        found = np.stack([np.append(extract(image), 1.0) for image in data.images])
        right = np.stack([few_patients(found, data, FIRST_SPLIT + number) for number in range(splits)])
        asked = np.asarray(np.isfinite(right).any(axis=0))  # the same for all features
        by_image = np.nanmean(right[:, asked], axis=0)
        by_split = np.nanmean(right, axis=1)
        first = by_image if first is None else first
        rows.append(
            {
                "table": f"Phantom views at a machine never learnt from: {machine}",
                "features": name,
                "M": found.shape[1],
                VIEWS_RIGHT: _percent(by_split.mean()),
                "sd": _percent(by_split.std(ddof=1)),
                "less texture": "" if by_image is first else _difference(by_image, first, some(data, asked)),
            }
        )
    return rows


def few_patients(features: Array, data: ImageSet, seed: int) -> Array:
    """(n,) whether each image of a patient that is asked about is answered rightly; NaN for those learnt from."""
    from shared_models.linear_head import predict_head, tune_head

    order = np.random.default_rng(seed).permutation(np.unique(data.patient))
    taught, tuned, asked = (
        np.flatnonzero(np.isin(data.patient, part)) for part in np.split(order, [TAUGHT, TAUGHT + TUNED])
    )
    held = features[tuned], data.label[tuned], np.ones(len(tuned))
    head = tune_head(
        features[taught], data.label[taught], np.ones(len(taught)), data.classes, validation=held, seed=seed
    )
    right = np.full(len(features), np.nan)
    right[asked] = predict_head(features[asked], *head).argmax(axis=1) == data.label[asked]
    return right


def on_real(table: str, data: ImageSet, features: Mapping[str, Features], repeats: int) -> list[Row]:
    """One row for each kind of features, with its difference from the first."""
    outcomes = [outcome(table, name, extract, data, repeats) for name, extract in features.items()]
    return [
        found.row | {"less texture": "" if found is outcomes[0] else _difference(found.right, outcomes[0].right, data)}
        for found in outcomes
    ]


def _difference(one: Array, other: Array, data: ImageSet) -> str:
    mean, low, high = (100 * value for value in paired_interval(one, other, data))
    return f"{mean:+.1f} [{low:.1f}, {high:.1f}]"


def _percent(share: float | np.floating) -> float:
    return round(100 * float(share), 1)


def claims(rows: list[Row], record: BackboneRecord) -> list[Claim]:
    """What the backbone must do to be worth its place, and what it does beyond that."""
    found = [told("phantom views of patients held out, right", 100 * record.history[-1].views_right, "%")]
    for machine in KEPT_BACK:
        for other in (TEXTURE, RANDOM):
            gain = _told_by(rows, machine, BACKBONE) - _told_by(rows, machine, other)
            found.append(at_least(f"{machine}, start backbone less {other}", gain, "points", 0))
    for table in dict.fromkeys(str(row["table"]) for row in rows if CLIPS in row):
        organ = table.split()[0]
        for name, column in product((BACKBONE, BOTH), (CLIPS, BALANCED)):
            gain = _told_by(rows, table, name, column) - _told_by(rows, table, TEXTURE, column)
            found.append(told(f"{organ}, {name} less texture, {column.removesuffix(', %')}", gain, "points"))
    return found


def _told_by(rows: list[Row], table: str, features: str, column: str = VIEWS_RIGHT) -> float:
    row = next(row for row in rows if str(row["table"]).endswith(table) and row["features"] == features)
    return float(row[column] or 0)

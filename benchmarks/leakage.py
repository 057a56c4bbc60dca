"""What per-image features and weights give away, by attack, beside the guess of somebody who never saw them.

Inversion: an attacker with images of other hospitals and the same front end fits a ridge decoder from features to
thumbnails, and decodes the victim's features. Told: how well thumbnails are rebuilt, and how often the decoded one
is nearest to the right one. Membership: from a site's linear head, how well a loss threshold tells training images from
images of patients who were held back (one draw of patients each repeat).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.claims import Claim, Measured, Row, told
from benchmarks.leakage_levels import by_kind_and_level
from benchmarks.lung_data import Images, load_images
from benchmarks.real_data import LUNG
from federated.statistics import Array

VICTIM = "northumbria"
SIDE = 32
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)


def measure(*, quick: bool) -> Measured:
    """Both attacks on one hospital of the lung set."""
    images = load_images()
    inversion = invert(images, _thumbnails())
    members = [membership(images, seed) for seed in range(3 if quick else 20)]
    areas = np.array([area for area, _ in members])
    caught = np.array([share for _, share in members])
    rows: tuple[Row, ...] = (
        *inversion,
        {"table": "membership", "attack": "loss threshold on a linear head", "area under ROC": float(areas.mean()),
         "sd": float(areas.std()), "found at 5 % false alarms": float(caught.mean())},
        {"table": "membership", "attack": "guess", "area under ROC": 0.5, "sd": 0.0, "found at 5 % false alarms": 0.05},
        *by_kind_and_level(images, VICTIM, _number(inversion[0]["correlation"]), float(areas.mean())),
    )  # fmt: skip
    return Measured(rows=rows, claims=_claims(inversion, float(areas.mean())))


def _claims(inversion: list[Row], area: float) -> tuple[Claim, ...]:
    decoded, mean = inversion
    return (
        told("features: correlation of the rebuilt thumbnail", _number(decoded["correlation"]), ""),
        told("the mean image instead", _number(mean["correlation"]), ""),
        told("features: rebuilt thumbnail nearest to its own image", _number(decoded["found again"]), "of images"),
        told("weights: membership, area under ROC", area, ""),
    )


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value


def _thumbnails() -> Array:
    """(n, SIDE²) grey thumbnails in the order of the index, 0 to 1."""
    import csv

    with (LUNG / "index.csv").open(encoding="utf-8") as file:
        paths = [LUNG / row["path"] for row in csv.DictReader(file)]
    small = [np.asarray(Image.open(path).convert("L").resize((SIDE, SIDE)), dtype=np.float64) for path in paths]
    return np.stack([image.ravel() / 255.0 for image in small])


def invert(images: Images, pixels: Array) -> list[Row]:
    """A decoder fitted on the other sites, against the mean of their images."""
    victim = np.array([shot.site == VICTIM for shot in images.shots])
    rows = np.array([shot.row for shot in images.shots])
    helper, target = rows[~victim], rows[victim]
    features = images.features - images.features[helper].mean(axis=0)
    center = pixels[helper].mean(axis=0)
    groups = np.array([shot.patient for shot in images.shots])[~victim]
    fold = np.unique(groups, return_inverse=True)[1] % 2 == 0

    def decoder(train: NDArray[np.int64], ridge: float) -> Array:
        gram = features[train].T @ features[train]
        scale = ridge * np.trace(gram) / gram.shape[0]
        return np.linalg.solve(gram + scale * np.eye(gram.shape[0]), features[train].T @ (pixels[train] - center))

    def error(ridge: float) -> float:
        guess = features[helper[~fold]] @ decoder(helper[fold], ridge)
        return float(((guess + center - pixels[helper[~fold]]) ** 2).mean())

    rebuilt = features[target] @ decoder(helper, min(RIDGES, key=error)) + center
    return [
        _quality("ridge decoder", rebuilt, pixels[target]),
        _quality("mean of the other sites", np.tile(center, (len(target), 1)), pixels[target]),
    ]


def _quality(attack: str, guess: Array, truth: Array) -> Row:
    """Mean correlation with the true thumbnail, peak signal to noise, and how often the nearest true one is its own."""
    error = ((guess - truth) ** 2).mean(axis=1)
    inner = (guess - guess.mean(axis=1, keepdims=True)) * (truth - truth.mean(axis=1, keepdims=True))
    scale = guess.std(axis=1) * truth.std(axis=1)
    distances = (guess**2).sum(axis=1)[:, None] - 2 * guess @ truth.T + (truth**2).sum(axis=1)[None]
    return {
        "table": "inversion of features",
        "attack": attack,
        "correlation": float((inner.mean(axis=1) / np.where(scale > 0, scale, 1.0)).mean()),
        "PSNR, dB": float((-10 * np.log10(error)).mean()),
        "found again": float((distances.argmin(axis=1) == np.arange(len(truth))).mean()),
    }


def membership(images: Images, seed: int) -> tuple[float, float]:
    """Area under ROC, and share of members found at 5 % false alarms, for one draw of half the victim's patients."""
    from sklearn.metrics import roc_auc_score

    from shared_models.linear_head import predict_head, train_head

    shots = [shot for shot in images.shots if shot.site == VICTIM]
    patients = sorted({shot.patient for shot in shots})
    chosen = set(np.random.default_rng(seed).permutation(patients)[: len(patients) // 2])
    member = np.array([shot.patient in chosen for shot in shots])
    features = images.features[[shot.row for shot in shots]]
    names = sorted({shot.label for shot in shots})
    labels = np.array([names.index(shot.label) for shot in shots], dtype=np.int64)
    weights = np.ones(int(member.sum()))
    head = train_head(features[member], labels[member], weights, len(names), seed=seed)
    confidence = predict_head(features, *head)[np.arange(len(labels)), labels]
    limit = np.quantile(confidence[~member], 0.95)
    return float(roc_auc_score(member, confidence)), float((confidence[member] > limit).mean())

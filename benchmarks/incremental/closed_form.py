"""The closed-form experts as they are released: statistics, candidate, every site's report, release, all in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.contestant import Answered, Contestant, Fold, Site, Start
from benchmarks.incremental.kept import Arrays, kept
from benchmarks.incremental.suite import TRAINING_FOLDS
from federated.canonical import digest
from federated.clips import clip_means
from federated.fused_model import FusedModel
from federated.fusion.selection import SCATTERS
from federated.fusion.targets import coarse_labels
from federated.local_fold import LocalFold
from federated.manifest import Hyperparameters, ReleaseManifest, ReportManifest, manifest_digest, unpack_tensors
from federated.release import Built, SiteInput, build_candidate, build_release
from federated.report import compute_report
from federated.statistics import Statistics, from_features
from federated.vocabulary import Vocabulary

NUMBER = 8  # bytes


class ClosedForm:
    """One form of weights; in isolated mode what the first release chose holds for all that follow."""

    def __init__(self, start: Start, *, form: str = "none", isolated: bool = False) -> None:
        self.start, self.form, self.isolated = start, form, isolated
        self.sites: list[Site] = []
        self.inputs: dict[str, SiteInput] = {}
        self.up: Counter[str] = Counter()
        self.down: Counter[str] = Counter()
        self.model: FusedModel | None = None

    def arrive(self, site: Site) -> float:
        """A site sends its statistics, and everybody reports on the new candidate."""
        self.sites.append(site)
        self.inputs[site.name] = site_input(site, self.start.vocabulary)
        self.up[site.name] += statistics_bytes(self.inputs[site.name])
        mode = "isolated" if self.isolated else "shared"
        names = "-".join(each.name for each in self.sites)  # the forms of weights share their releases
        found, seconds = kept(self.start.folder / f"release-{mode}-{names}.npz", self._released)
        manifest = ReleaseManifest.model_validate_json(str(found["manifest"]))
        self.model = FusedModel.from_release(manifest, unpack_tensors(found["tensors"].tobytes(), manifest))
        for each, report in zip(self.sites, found["reports"].tolist(), strict=True):
            self.up[each.name] += report
            self.down[each.name] += int(found["candidate"])
        return seconds

    def _released(self) -> Arrays:
        """The next release, and the bytes of the candidate and of every site's report."""
        built = self._candidate()
        tensors = unpack_tensors(built.tensors, built.manifest)
        proposed = FusedModel.from_release(built.manifest, tensors)
        drafts = {site.name: _report(proposed, site) for site in self.sites}
        reports = {
            name: (manifest_digest(manifest), manifest, unpack_tensors(data, manifest))
            for name, (manifest, data) in drafts.items()
        }
        keep = self.isolated and self.model is not None
        release = build_release(built.manifest, tensors, reports, keep_temperature=keep)
        return {
            "manifest": np.array(release.manifest.model_dump_json()),
            "tensors": np.frombuffer(release.tensors, dtype=np.uint8),
            "candidate": np.array(len(built.tensors)),
            "reports": np.array([len(data) for _, data in drafts.values()]),
        }

    def _candidate(self) -> Built:
        pinned = self.model if self.isolated else None
        return build_candidate(
            federation="contest",
            task="classification",
            front_end=self.start.front_end,
            vocabulary=self.start.vocabulary,
            sites=list(self.inputs.values()),
            experts=(),
            number=len(self.sites),
            previous=None,
            hyperparameters=_with_scatter(pinned) if pinned else None,
            temperature=pinned.manifest.temperature if pinned else 1.0,
            mode="isolated" if self.isolated else "shared",
        )

    def answer(self, fold: Fold, site: str) -> Answered:  # noqa: ARG002
        """Frames of a clip are answered by their mean features; it is not told where they come from."""
        assert self.model is not None
        rows = clip_rows(fold.local)
        found = self.model.answer(clip_means(fold.local.features, fold.local.clips), "clip", self.form)
        tree, arrival = self.model.tree, [self.model.sites.index(site.name) for site in self.sites]
        return Answered(
            labels=self.model.labels,
            scores=found.scores[rows],
            probabilities=tree.probabilities(found.scores / self.model.manifest.temperature)[rows],
            p=found.p.max(axis=1)[rows],
            weights=found.weights[:, arrival][rows],
            contributions=found.contributions[:, arrival][rows],
            best=tree.best(found.scores)[rows],
        )

    def sent(self) -> Mapping[str, int]:
        """Statistics once, a report at every arrival."""
        return self.up

    def received(self) -> Mapping[str, int]:
        """Candidates."""
        return self.down


def _report(proposed: FusedModel, site: Site) -> tuple[ReportManifest, bytes]:
    train, validation, calibration = (site.folds[fold].local for fold in TRAINING_FOLDS)
    return compute_report(proposed, site.name, train=train, validation=validation, calibration=calibration)


FORMS: dict[str, Callable[[Start], Contestant]] = {
    "closed form": ClosedForm,
    "closed form (refit)": partial(ClosedForm, form="refit"),
    "closed form (graded)": partial(ClosedForm, form="graded"),
    "closed form (scaled)": partial(ClosedForm, form="scaled"),
    "closed form (isolated)": partial(ClosedForm, isolated=True),
}


def _with_scatter(model: FusedModel) -> Hyperparameters:
    """Those of a release; one site alone has shown no scatter, and gets the usual one, a multiple of its weight."""
    chosen = model.manifest.hyperparameters
    weight = float(sum(block.weights.sum() for block in model.counted.values()))
    return chosen if len(model.sites) > 1 else chosen.model_copy(update={"scatter": SCATTERS[0] * weight})


def clip_rows(local: LocalFold) -> NDArray[np.int64]:
    """(n,) the number of every image's clip, clips in order of first appearance."""
    number = {clip: row for row, clip in enumerate(dict.fromkeys(local.clips))}
    return np.array([number[clip] for clip in local.clips], dtype=np.int64)


def statistics(local: LocalFold, labels: tuple[str, ...], vocabulary: Vocabulary) -> Statistics:
    """Sums over the images whose labels are asked for, coarse ones apart."""
    chosen = local.rows([row for row, label in enumerate(local.labels) if label in labels])
    own = coarse_labels(vocabulary, labels)
    return from_features(chosen.features, chosen.labels, chosen.weights, labels, own)


def site_input(site: Site, vocabulary: Vocabulary) -> SiteInput:
    """What the coordinator holds of a site that shares all its sums."""
    train, validation = site.folds["train"].local, site.folds["validation"].local
    labels = tuple(code for code in vocabulary.codes if code in site.labels)
    patients = Counter(label for label, _ in set(zip(train.labels, train.patients, strict=True)))
    known = bool(set(validation.labels) & set(labels))
    return SiteInput(
        name=site.name,
        contributions=(digest(site.name.encode()),),
        train=statistics(train, labels, vocabulary),
        validation=statistics(validation, labels, vocabulary) if known else None,
        patients=dict(patients),
        gram_to_sites=True,
    )


def statistics_bytes(given: SiteInput, *, gram: bool = True) -> int:
    """Of the packed sums of both folds, of which `gram` says whether the largest part is sent."""
    blocks = [block for block in (given.train, given.validation) if block is not None]
    return NUMBER * sum(_numbers(block, gram=gram) for block in blocks)


def _numbers(block: Statistics, *, gram: bool) -> int:
    packed = block.features * (block.features + 1) // 2 if gram else 0
    return packed * (1 + len(block.own_grams)) + block.class_sums.size + block.weights.size

"""The model card of a release: what it is for, what it answers, how it was made, and what it cannot do."""

from __future__ import annotations

from federated.audit.dossier.document import Line, Section
from federated.audit.dossier.stated import Stated
from federated.fusion.rules import RULES
from federated.manifest import ReleaseManifest

MANIFEST, STATED, PROGRAM = "signed release", "statement", "the program"
RESEARCH = "Research use only, not for patient care."
ABOUT = (
    "What the signed release says of itself, and what whoever asked for this dossier states beside it, unsigned. "
    "What neither says is printed as not stated."
)
POOR = (
    "A file that cannot be read, shows no image or may hold a name is set aside and named, never guessed. An image "
    "that is unlike every hospital's own is not answered. {own} of {all} hospitals are calibrated by patients of their "
    "own; for such a hospital's own patients the chance of a wrong refusal is at most {alpha:g}. How many unknown "
    "images are refused is measured, not bounded."
)
PREPARED = (
    "Alike at every hospital: the header is de-identified, the ultrasound sector found, everything outside it made "
    "black, text in it looked for, and the image brought to at most 256 pixels a side."
)
MISSING = "An image without a label is not learnt from; a label is fitted on the hospitals that give it."
CANNOT = (
    "A frozen front end bounds what can be learnt. Labels of one hospital rest on it alone. A hospital that sends "
    "plausible lies is visible, not prevented. See the list of risks."
)


def card(manifest: ReleaseManifest, digest: str, stated: Stated) -> Section:
    """Every line of the card."""
    lines = (*_what(manifest, digest), *_purpose(stated), *_input(manifest, stated), *_made(manifest), *_open(stated))
    return Section(title="Model card", about=ABOUT, lines=lines)


def _what(manifest: ReleaseManifest, digest: str) -> tuple[Line, ...]:
    concepts = {concept.code: concept.meaning for concept in manifest.vocabulary.concepts}
    named = (label if concepts[label] == label else f"{label} ({concepts[label]})" for label in manifest.labels)
    rule = "" if manifest.rule == "closed-form" else f", by the rule '{manifest.rule}'"
    version = f"release {manifest.number}{rule}, {digest}"
    output = (
        f"One of {len(manifest.labels)} labels or a concept above them, or none with the reason; beside it scores, "
        f"probabilities, and each hospital's qualification, weight, contribution and share of the evidence. Nothing is "
        f"answered where every hospital's p-value is {manifest.alpha:g} or less."
    )
    return (
        Line(topic="Task", text=manifest.task, source=MANIFEST, items=("TRIPOD+AI 1",)),
        Line(topic="Version", text=version, source=MANIFEST, items=("CONSORT-AI 5(i)", "TRIPOD+AI 22")),
        Line(topic="Outcome", text=", ".join(named), source=MANIFEST, items=("TRIPOD+AI 8a",)),
        Line(topic="Output", text=output, source=MANIFEST, items=("CONSORT-AI 5(v)", "TRIPOD+AI 15")),
        Line(topic="Not for", text=RESEARCH, source=PROGRAM, items=("FUTURE-AI Usability 1",)),
    )


def _purpose(stated: Stated) -> tuple[Line, ...]:
    rows = (
        ("Intended use", stated.intended_use, ("TRIPOD+AI 3b", "CONSORT-AI 2a(i)", "FUTURE-AI Usability 1")),
        ("Intended users", stated.intended_users, ("TRIPOD+AI 3b", "CONSORT-AI 2a(i)")),
        ("Integration on site", stated.integration, ("CONSORT-AI 4b",)),
        ("How the output enters decisions", stated.use_of_output, ("CONSORT-AI 5(vi)",)),
        ("Users' handling of the input and expertise", stated.human_interaction,
         ("TRIPOD+AI 27b", "CONSORT-AI 5(iv)")),
        ("Target population", stated.target_population, ("TRIPOD+AI 3b",)),
        ("Known health inequalities", stated.health_inequalities, ("TRIPOD+AI 3c",)),
    )  # fmt: skip
    return tuple(Line(topic=topic, text=text, source=STATED, items=items) for topic, text, items in rows)


def _input(manifest: ReleaseManifest, stated: Stated) -> tuple[Line, ...]:
    own = sum(site.calibration == "own" for site in manifest.sites)
    poor = POOR.format(own=own, all=len(manifest.sites), alpha=manifest.alpha)
    front = manifest.front_end
    settings = ", ".join(f"{name} {value}" for name, value in sorted(front.config.items())) or "no settings"
    seen = f"'{front.name}' ({settings}), {front.features} features, frozen, {front.digest}"
    return (
        Line(topic="Eligible participants", text=stated.eligibility, source=STATED,
             items=("TRIPOD+AI 6b", "CONSORT-AI 4a(i)")),
        Line(topic="Eligible input", text=stated.input_eligibility, source=STATED, items=("CONSORT-AI 4a(ii)",)),
        Line(topic="How input is acquired", text=stated.acquisition, source=STATED, items=("CONSORT-AI 5(ii)",)),
        Line(topic="Poor or missing input", text=poor, source=MANIFEST,
             items=("TRIPOD+AI 27a", "CONSORT-AI 5(iii)", "FUTURE-AI Traceability 3")),
        Line(topic="Preparation and quality checks", text=PREPARED, source=PROGRAM, items=("TRIPOD+AI 7",)),
        Line(topic="Missing data", text=MISSING, source=PROGRAM, items=("TRIPOD+AI 11",)),
        Line(topic="What is seen of an image", text=seen, source=MANIFEST, items=("TRIPOD+AI 9b", "TRIPOD+AI 12b")),
    )  # fmt: skip


def _made(manifest: ReleaseManifest) -> tuple[Line, ...]:
    settings = manifest.hyperparameters
    made = (
        f"{RULES[manifest.rule].about.capitalize()}; ridge {settings.ridge:.4g}, scatter {settings.scatter:.4g}, "
        f"outside weight {settings.outside:.4g}, mode {settings.mode}, weighting {manifest.weighting}. Ridge and "
        "scatter are chosen by sums over validation patients, unless they were pinned."
    )
    patients = "patients" if settings.volume is None else f"effective number of patients (volume {settings.volume:g})"
    counted = f"An image counts by one over the number of its patient's images, a hospital's label by its {patients}."
    heterogeneity = (
        "Each label is fitted on the hospitals that label it; directions in which hospitals differ within a label are "
        "penalised; each hospital's p-value for an image is shown, and decides on refusal."
    )
    parted = (
        "By patient, for ever: training, validation, calibration and test. Test patients take part in no fit and in no "
        "choice."
    )
    return (
        Line(topic="Model", text=made, source=MANIFEST, items=("TRIPOD+AI 12c",)),
        Line(topic="How data were parted", text=parted, source=PROGRAM, items=("TRIPOD+AI 12a",)),
        Line(topic="Class imbalance", text=counted, source=MANIFEST, items=("TRIPOD+AI 13",)),
        Line(topic="Differences between hospitals", text=heterogeneity, source=PROGRAM, items=("TRIPOD+AI 12d",)),
    )


def _open(stated: Stated) -> tuple[Line, ...]:
    limits = CANNOT if stated.limits is None else f"{CANNOT} {stated.limits}"
    rows = (
        ("Fairness", stated.fairness, ("TRIPOD+AI 14",)),
        ("Analysis of errors", stated.error_analysis, ("CONSORT-AI 19",)),
        ("Ethical approval and consent", stated.ethics, ("TRIPOD+AI 17",)),
        ("Funding", stated.funding, ("TRIPOD+AI 18a",)),
        ("Conflicts of interest", stated.conflicts, ("TRIPOD+AI 18b",)),
        ("Protocol", stated.protocol, ("TRIPOD+AI 18c",)),
        ("Registration", stated.registration, ("TRIPOD+AI 18d",)),
        ("Availability of the data", stated.data_sharing, ("TRIPOD+AI 18e",)),
        ("Availability of the system and its code", stated.code_sharing, ("TRIPOD+AI 18f", "CONSORT-AI 25")),
        ("Involvement of patients and the public", stated.public_involvement, ("TRIPOD+AI 19",)),
    )
    return (
        Line(topic="Limits", text=limits, source=PROGRAM, items=("TRIPOD+AI 26",)),
        *(Line(topic=topic, text=text, source=STATED, items=items) for topic, text, items in rows),
    )

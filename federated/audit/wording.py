"""An explanation as sentences. A share is called a share: only a refit tells what an answer owes to a site."""

from __future__ import annotations

from collections.abc import Iterator

from federated.audit.explain import Account, Explanation
from federated.deciding import FOREIGN
from federated.errors import one_line

NOTHING = 0.0005  # of a score
PATIENTS = {
    "own": "{name}'s own patients",
    "cross-fitted": "{name}'s own patients, scored by fits without them,",
    "pooled": "all sites' patients together, for {name} reported too few,",
}
CAPTIONS = {FOREIGN: "every site that labels it finds the image unlike its own"}
REASONS = {
    "reference-standard": "by the reference standard",
    "second-reading": "by a second reading",
    "follow-up": "by follow-up",
    "image-quality": "for the quality of the image",
    "other": "for another reason",
}
STANDINGS = {
    "sites know": "Sites' images carry {share} of the evidence behind this score.",
    "nobody knows": "Mostly nobody knows: {share} of the evidence is the prior's, for sites have few such images.",
    "sites disagree": "Mostly sites disagree: {share} of the evidence lies where their images of one label differ.",
}


def sentences(found: Explanation) -> list[str]:
    """What was answered or why nothing was, what warns, who has the evidence, then each site; names as they print."""
    lines = (*_answer(found), *_evidence(found), *(line for each in found.sites for line in _site(found, each)))
    return [one_line(line) for line in lines]


def _answer(found: Explanation) -> Iterator[str]:
    what = f"Clip {found.clip}" if found.image is None else f"Image {found.image} of clip {found.clip}"
    if found.label is None:
        yield f"{what}: nothing was answered. {_sentence(found.why or 'no reason is given')}"
        yield f"The label with the largest score is {found.best}; what follows is about it."
    elif found.label == found.best:
        yield f"{what}: {found.label}."
    else:
        yield f"{what}: {found.label}. Of what lies below it {found.best} is the likeliest, but not surely."
    likely = "" if found.next is None else f" Next is {found.next} with {_percent(found.next_probability or 0.0)}."
    yield f"The score of {found.best} is {found.score:z.3f}, its probability {_percent(found.probability)}.{likely}"
    if len(found.path) > 1:
        yield f"The way down: {', '.join(_steps(found))}."
    if found.caption is not None:
        more = f": {CAPTIONS[found.caption]}" if found.caption in CAPTIONS else ""
        yield f"Warning: {found.caption}{more}."
    for flag in found.flags:
        other = "; somebody decided otherwise" if flag.overruled else ""
        yield f"Flagged later as {flag.truth} ({REASONS[flag.why or 'other']}){other}."
    if found.rule not in (None, "closed-form"):
        yield f"The score is by the rule '{found.rule}'; shares of the evidence are those of the statistics beside it."


def _steps(found: Explanation) -> Iterator[str]:
    for step in found.path:
        doubt = "" if step.doubt is None else f", doubt {step.doubt:.3f}"
        yield f"{step.concept} ({_percent(step.probability)}{doubt})"


def _evidence(found: Explanation) -> Iterator[str]:
    known = 1.0 - found.prior - found.disagreement
    share = {"sites know": known, "nobody knows": found.prior, "sites disagree": found.disagreement}[found.standing]
    yield STANDINGS[found.standing].format(share=_percent(share))
    others = [
        f"{_percent(value)} {words}"
        for value, words, standing in (
            (found.prior, "is nobody's (prior)", "nobody knows"),
            (found.disagreement, "lies where sites disagree", "sites disagree"),
            (found.other, "is that of sites that keep their Gram matrix back, together", ""),
        )
        if value > 0 and standing != found.standing
    ]
    if others:
        yield f"Of the evidence {', '.join(others)}."
    if found.not_removed is not None:
        yield f"What would be without each site is not told: {found.not_removed}."


def _site(found: Explanation, site: Account) -> Iterator[str]:
    yield f"{site.site}: {_qualification(found, site)}"
    share = "" if site.evidence is None else f", and has {_percent(site.evidence)} of the evidence"
    weight = "" if site.weight == 1.0 else f" Its weight for this {_unit(found)} is {site.weight:.3f}."
    yield f"  It put {site.contribution:z.3f} into the score of {found.best}{share}.{weight}"
    if site.without is not None:
        yield f"  {_without(found, site)}"


def _qualification(found: Explanation, site: Account) -> str:
    if site.calibration == "none":
        return "has reported no patients, so that it is qualified for everything."
    whose = PATIENTS.get(site.calibration or "own", PATIENTS["own"]).format(name=site.site)
    like = f"of {whose} {_percent(site.p)} fit it no better than this {_unit(found)} (p {site.p:.3f})"
    if site.qualified is None:
        return f"{like}."
    needed = f"more than {found.alpha:g} is needed"
    return f"{like}; it is qualified." if site.qualified else f"{like}; it is not qualified, {needed}."


def _without(found: Explanation, site: Account) -> str:
    without = site.without
    assert without is not None
    if without.best is None:
        return f"Without {site.site} nobody would be left."
    if without.best == found.best and abs(without.effect) < NOTHING and not without.withheld:
        return f"Without {site.site}, fitted again: nothing would change."
    score = f"{found.best} would score {without.score:z.3f} instead of {found.score:z.3f}"
    if without.withheld:
        answer = "nothing would be answered, for no other site is qualified"
    else:
        same = without.best == found.best
        answer = f"the label with the largest score would {'still be' if same else 'be'} {without.best}"
    return f"Without {site.site}, fitted again: {answer}; {score} ({without.effect:+z.3f})."


def _unit(found: Explanation) -> str:
    return "clip" if found.image is None else "image"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _percent(share: float) -> str:
    """A share in per cent; what is little is not nothing."""
    if 0 < share < 0.005:
        return "under 1 %"
    return f"{100 * share:.0f} %"

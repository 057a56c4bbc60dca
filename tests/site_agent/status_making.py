"""A status with something in every part of it, made by hand."""

from __future__ import annotations

from site_agent.adopt import Held
from site_agent.status.holdings import (
    BatchCount,
    FoldCount,
    FormCount,
    Holdings,
    MachineCount,
    OutsideCount,
    Quality,
    Removed,
    Spacing,
    ViewCount,
)
from site_agent.status.status import Sent, SiteStatus, Waits
from site_agent.steps import Step

DIGEST = "sha256:" + "ab" * 32
HOSTILE = """<script>alert('1')</script>"&"""

HOLDINGS = Holdings(
    patients=30,
    clips=40,
    images=1234,
    waiting=2,
    folds=(FoldCount(fold="train", patients=21, images=1000), FoldCount(fold="test", patients=9, images=234)),
    views=(
        ViewCount(
            label="399214001",
            meaning="apical four-chamber (A4C)",
            patients=20,
            clips=30,
            images=1000,
            folds={"train": 800, "test": 200},
        ),
        ViewCount(label="", meaning="no label", patients=10, clips=10, images=234, folds={"train": 200, "test": 34}),
    ),
    machines=(
        MachineCount(machine="GE Vivid E95", expert=1, patients=20, clips=30, images=1000),
        MachineCount(machine="", expert=2, patients=10, clips=10, images=234),
    ),
    quality=Quality(
        with_sector=39,
        without_sector=1,
        quantiles=(0.7, 0.8, 0.9, 0.95, 1.0),
        histogram=(0, 0, 0, 0, 0, 0, 0, 1, 8, 30),
    ),
    spacing=Spacing(known=30, unknown=10, range_mm=(0.15, 0.8)),
    forms=(FormCount(form="dicom", clips=30), FormCount(form="images", clips=10)),
    outside=(
        OutsideCount(state="refused", reason="is cut short", items=7),
        OutsideCount(state="quarantined", reason="may show burnt-in text inside the sector", items=3),
    ),
    removed=Removed(clips=38, pixels=0.61, bright=0.04, text=5, marks=6),
    batches=(
        BatchCount(
            name="b0001",
            closed="2026-03-01T10:00:00+00:00",
            expert=1,
            pixels="sector",
            forms=("dicom",),
            patients=20,
            clips=30,
            images=1000,
        ),
    ),
)
NOTHING = Holdings(
    patients=0,
    clips=0,
    images=0,
    waiting=0,
    folds=(),
    views=(),
    machines=(),
    quality=Quality(with_sector=0, without_sector=0, quantiles=(), histogram=(0,) * 10),
    spacing=Spacing(known=0, unknown=0, range_mm=None),
    forms=(),
    outside=(),
    removed=Removed(clips=0, pixels=0.0, bright=0.0, text=0, marks=0),
    batches=(),
)
STATUS = SiteStatus(
    federation="echo",
    site="north",
    coordinator="hub",
    superlink="",
    policy="may leave: statistics",
    images=(),
    quarantined=3,
    contributions=(Sent(batch="b0001", kind="statistics", digest=DIGEST, state="accepted"),),
    pending=(Waits(digest=DIGEST, kind="report", when="2026-03-02"),),
    outbox=1,
    unread=2,
    releases=(Held(number=4, digest=DIGEST, state="adopted", reason="good enough"),),
    answers=4,
    lease="",
    last=(Step(kind="statistics", subject="batch b0001", state="outbox"),),
    holdings=HOLDINGS,
)
EMPTY = STATUS.model_copy(
    update={
        "contributions": (),
        "pending": (),
        "releases": (),
        "answers": None,
        "last": (),
        "holdings": NOTHING,
    }
)


def hostile() -> SiteStatus:
    """With markup wherever a word may stand."""
    view = HOLDINGS.views[0].model_copy(update={"label": HOSTILE, "meaning": HOSTILE})
    machine = HOLDINGS.machines[0].model_copy(update={"machine": HOSTILE})
    outside = HOLDINGS.outside[0].model_copy(update={"reason": HOSTILE})
    batch = HOLDINGS.batches[0].model_copy(update={"forms": (HOSTILE,), "pixels": HOSTILE})
    held = HOLDINGS.model_copy(
        update={
            "views": (view,),
            "machines": (machine,),
            "outside": (outside,),
            "batches": (batch,),
            "forms": (FormCount(form=HOSTILE, clips=1),),
        }
    )
    release = STATUS.releases[0].model_copy(update={"reason": HOSTILE})
    return STATUS.model_copy(
        update={"site": HOSTILE, "policy": HOSTILE, "releases": (release,), "holdings": held, "federation": HOSTILE}
    )

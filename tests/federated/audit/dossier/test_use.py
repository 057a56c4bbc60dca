"""What hospitals told of their answers, as they signed it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from federated.audit.bundle import open_bundle
from federated.audit.dossier.sources import Sources
from federated.audit.dossier.use import use
from federated.audit.given import newest
from tests.decision_making import Tree, sums, told


def test_sums_of_each_summary_of_the_release(
    make_record: Callable[..., Any], make_sample: Callable[..., Any], tmp_path: Path
) -> None:
    record = make_record()
    release = newest(open_bundle(record.write(tmp_path / "before.bundle"))).digest
    tree = Tree([bytes([number]) for number in range(30)])
    tensors = sums(answered=(9, 12), abstained=4)
    tensors["flagged"][:] = (5, 6)
    tensors["wrong"][:] = (2, 1)
    tensors["wrong_confident"][:] = (1, 0)
    tensors["drift"][:2] = (6, 18)
    for site, of in (("ben", release), ("ada", release), ("cem", "sha256:" + "3" * 64)):
        fields = told(tree, release=of, site=site, suppressed=("answered.a4c",))
        record.send(*make_sample("summary", tensors, **fields))
    bundle = open_bundle(record.write(tmp_path / "it.bundle"))
    (grid,) = use(Sources(bundle, record.trust), release).grids
    assert grid.rows == tuple(
        (site, "0 to 29", "21", "4", "11", "3", "1", "25% (6 of 24)", "1") for site in ("ada", "ben")
    )


def test_without_a_summary_it_is_said(whole: Any, tmp_path: Path) -> None:
    bundle = open_bundle(whole.write(tmp_path / "it.bundle"))
    (grid,) = use(Sources(bundle, None), newest(bundle).digest).grids
    assert grid.rows == ()
    assert grid.empty.startswith("Not stated")

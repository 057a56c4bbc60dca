"""The spine's benchmark runs in its quick form, and its peer gives the same weights."""

from __future__ import annotations

from benchmarks.spine import LABELS_A_SITE, SITES, measure, simulate


def test_the_simulated_sites_share_some_labels_and_carry_a_constant() -> None:
    sites = simulate(40, 16)
    assert len(sites) == SITES
    assert all(len(set(site.labels.tolist())) <= LABELS_A_SITE for site in sites)
    assert all((site.features[:, -1] == 1.0).all() for site in sites)


def test_the_same_seed_gives_the_same_sites() -> None:
    first, second = simulate(5, 4)[3], simulate(5, 4)[3]
    assert (first.features == second.features).all()
    assert (first.labels == second.labels).all()


def test_quick_run_agrees_with_its_peer() -> None:
    claims = {claim.claim: claim for claim in measure(quick=True).claims}
    assert claims["largest difference from scikit-learn's pooled ridge"].holds
    assert any("contribution at level 2" in name for name in claims)

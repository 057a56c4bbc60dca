from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.hospitals import wait_until
from tests.system.fenced import SITE, Fenced, fenced

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fenced]:
    with fenced(tmp_path_factory.mktemp("fence")) as found:
        yield found


def test_an_event_goes_through_both_hops(hospital: Fenced) -> None:
    hospital.start()
    try:
        wait_until(lambda: hospital.link.online() == {SITE})
    except AssertionError:
        for n in ("consilium-site", "consilium-forwarder", "consilium-node"):
            print(n, hospital.machine.said(n))
        print(
            hospital.machine.run(
                "sh",
                "-c",
                "systemctl status 'consilium*' --no-pager -l || true; ls -laR /run/consilium* /etc/consilium",
            )
        )
        raise
    summary = hospital.link.run_event(60.0)
    assert summary.number == 1

"""What the tests of sources share: the phantom in the layouts of public data sets."""

from __future__ import annotations

from tests.deploy.phantom.conftest import Exported, exported

__all__ = ["Exported", "exported"]

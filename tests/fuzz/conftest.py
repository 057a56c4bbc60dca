"""Sound samples of every kind, which the tests of this folder then spoil."""

from tests.federated.conftest import make_sample

__all__ = ["make_sample"]

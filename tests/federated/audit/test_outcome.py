from __future__ import annotations

import pytest

from federated.audit.outcome import Audit, Check, failed, outcome
from federated.errors import ContractError, SignatureError


def _raise(error: Exception) -> str:
    raise error


def test_what_is_recomputed_is_told_or_why_it_is_wrong() -> None:
    assert outcome("sums", lambda: "as they were") == Check(name="sums", ok=True, found="as they were")
    wrong = outcome("sums", lambda: _raise(ContractError("not what is recomputed", where="class sums")))
    assert wrong == Check(name="sums", ok=False, found="class sums: not what is recomputed")
    with pytest.raises(SignatureError):
        outcome("sums", lambda: _raise(SignatureError("is somebody else's")))


@pytest.mark.parametrize(("said", "ok"), [((), True), ((True, None), True), ((None, False), False)])
def test_what_could_not_be_looked_at_is_not_wrong(said: tuple[bool | None, ...], ok: bool) -> None:
    checks = tuple(Check(name="one", ok=each, found="") for each in said)
    assert Audit(file="a", kind="release", digest=None, checks=checks).ok == ok


def test_what_an_error_is_about_is_said_once() -> None:
    error = SignatureError("none of 2 asked for signed", where="witnesses", cure="ask them")
    assert failed("witnesses", error).found == "none of 2 asked for signed; ask them"
    assert failed("log", error).found == "witnesses: none of 2 asked for signed; ask them"

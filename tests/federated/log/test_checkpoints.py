from __future__ import annotations

import base64

import pytest

from federated.errors import ContractError
from federated.log.checkpoints import MAX_SIZE, Checkpoint, read_checkpoint
from federated.log.notes import Note

ORIGIN = "example.com/behind-the-sofa"
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
TEXT = f"{ORIGIN}\n20852163\n{ROOT}\n"


def test_the_specifications_example() -> None:
    found = read_checkpoint(Note(TEXT), ORIGIN)
    assert found == Checkpoint(ORIGIN, 20852163, base64.b64decode(ROOT))
    assert found.note().text == TEXT


@pytest.mark.parametrize("size", [0, 1, MAX_SIZE])
def test_what_is_written_is_read(size: int) -> None:
    checkpoint = Checkpoint(ORIGIN, size, bytes(32))
    assert read_checkpoint(checkpoint.note(), ORIGIN) == checkpoint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"other\n1\n{ROOT}\n", "is of the log 'other'"),
        (f"{ORIGIN}\n1\n", "2 lines"),
        (f"{ORIGIN}\n1\n{ROOT}\nmore\n", "4 lines"),
        (f"{ORIGIN}\n01\n{ROOT}\n", "no size"),
        (f"{ORIGIN}\n-1\n{ROOT}\n", "no size"),
        (f"{ORIGIN}\n\n{ROOT}\n", "no size"),
        (f"{ORIGIN}\n１\n{ROOT}\n", "no size"),
        (f"{ORIGIN}\n{'9' * 5000}\n{ROOT}\n", "no size"),
        (f"{ORIGIN}\n{MAX_SIZE + 1}\n{ROOT}\n", "at most"),
        (f"{ORIGIN}\n1\n{ROOT[:-2]}\n", "not base64"),
        (f"{ORIGIN}\n1\nAAAA\n", "no hash of 32 bytes"),
        (f"{ORIGIN}\n1\n{ROOT[:-2]}J=\n", "no hash of 32 bytes"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str, what: str) -> None:
    with pytest.raises(ContractError, match=what):
        read_checkpoint(Note(text), ORIGIN)

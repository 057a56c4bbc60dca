"""Keys that a passphrase opens, and where the passphrase comes from: never an argument, never the environment.

In this order: what was given for this process, from a file or a descriptor that is already open; the process that
started this one (`key_agent`); systemd's credential of the key's name; the keyring, where the file says so; the
terminal. A key is opened once a process.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.errors import ConsiliumError, cannot_read
from federated.files import write_new
from federated.key_agent import KeyAgent, key_from_agent
from federated.keys import parse_private_key, read_key_file
from federated.pkcs8 import encrypted_pem, is_encrypted, plain_pem

SHORTEST, LONGEST = 12, 1000  # letters
MAX_LINES_BYTES = 2**16
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # systemd.exec(5)
SERVICE = "consilium"
IN_KEYRING = b"Passphrase: keyring\n\n"
NOBODY = "run it in a terminal, or give --passphrase-file or --passphrase-fd before the command"
NOBODY_NEW = (
    "run it in a terminal, or give --new-passphrase-file; to join or init, --passphrase-file before the command"
)
_given: list[str] = []
_opened: dict[str, tuple[Ed25519PrivateKey, str | None]] = {}


def give(file: Path | None, descriptor: int | None) -> None:
    """Passphrases for this process, one a line, tried in turn on each key that needs one.

    Raises:
        ConsiliumError: there is none, or it cannot be read.
    """
    _given.clear()
    if file is not None:
        _given.extend(_lines_of(file, str(file)))
    if descriptor is not None:
        _given.extend(_lines_of(descriptor, f"descriptor {descriptor}"))


def unlocked_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file, opened with the first passphrase that is found for it.

    Raises:
        ConsiliumError: the file is no key, nobody can be asked, or the passphrase is another.
    """
    pem = read_key_file(path)
    if not is_encrypted(pem):
        return parse_private_key(pem, None, path)
    name = name_of(pem)
    if name not in _opened:
        lent = key_from_agent(name)
        _opened[name] = (lent, None) if lent is not None else _open(pem, path)
    return _opened[name][0]


def create_beside(path: Path, new: Path) -> Ed25519PrivateKey:
    """A fresh key in a new file, under the passphrase of another key where that has one.

    Raises:
        ConsiliumError: the other key cannot be opened, or the file is there already.
    """
    unlocked_key(path)
    pem, key = read_key_file(path), Ed25519PrivateKey.generate()
    passphrase = _opened[name_of(pem)][1] if is_encrypted(pem) else None
    if is_encrypted(pem) and passphrase is None:
        raise ConsiliumError("was lent to this process, which does not know its passphrase", where=str(path))
    data = plain_pem(key) if passphrase is None else encrypted_pem(key, passphrase)
    write_new(new, IN_KEYRING + data if in_keyring(pem) else data)
    return key


def agent_of(path: Path) -> KeyAgent | None:
    """Who hands the key in a file to processes that this one starts; None where they can read it themselves.

    Raises:
        ConsiliumError: it cannot be opened.
    """
    key, pem = unlocked_key(path), read_key_file(path)
    return KeyAgent(name_of(pem), key) if is_encrypted(pem) else None


def name_of(pem: bytes) -> str:
    """Of an encrypted key's file, for who hands it on within this machine."""
    return hashlib.sha256(pem).hexdigest()


def given() -> tuple[str, ...]:
    """The passphrases that were given for this process."""
    return tuple(_given)


def new_passphrase(whose: str, lines: Sequence[str] = (), number: int = 0) -> str:
    """For a file that is to be encrypted: a line given for it, or typed twice.

    Args:
        whose: for the question.
        lines: given; without any, somebody is asked.
        number: which of them; the last where there are fewer.

    Raises:
        ConsiliumError: there is nobody to ask, or it is too short.
    """
    if lines:
        chosen = lines[min(number, len(lines) - 1)]
    else:
        _require_terminal(whose)
        chosen = str(typer.prompt(f"new passphrase for {whose}", hide_input=True, confirmation_prompt=True, err=True))
    if not SHORTEST <= len(chosen) <= LONGEST:
        raise ConsiliumError(
            f"has {len(chosen)} letters", where="the passphrase", cure=f"choose one of {SHORTEST} to {LONGEST}"
        )
    return chosen


def lines_of(file: Path) -> list[str]:
    """Passphrases in a file, one a line.

    Raises:
        ConsiliumError: there is none, or it cannot be read.
    """
    return _lines_of(file, str(file))


def in_keyring(pem: bytes) -> bool:
    """Whether the passphrase of a file is in the operating system's keyring."""
    return pem.startswith(IN_KEYRING)


def put_into_keyring(path: Path, passphrase: str) -> None:
    """The passphrase of a key's file, kept by the operating system for this user.

    Raises:
        ConsiliumError: there is no keyring here, or it takes nothing.
    """
    _asked_keyring(lambda ring: ring.set_password(SERVICE, _account(path), passphrase))


def drop_from_keyring(path: Path) -> None:
    """Forgets the passphrase of a key's file; one that is not there is no work.

    Raises:
        ConsiliumError: there is no keyring here.
    """
    if _asked_keyring(lambda ring: ring.get_password(SERVICE, _account(path))) is not None:
        _asked_keyring(lambda ring: ring.delete_password(SERVICE, _account(path)))


def _open(pem: bytes, path: Path) -> tuple[Ed25519PrivateKey, str]:
    tried = False
    for passphrase in _candidates(pem, path):
        tried = True
        try:
            return parse_private_key(pem, passphrase, path), passphrase
        except ConsiliumError:
            continue
    if tried:
        raise ConsiliumError("the passphrase is another", where=str(path))
    raise ConsiliumError("is encrypted, and there is nobody to ask for its passphrase", where=str(path), cure=NOBODY)


def _candidates(pem: bytes, path: Path) -> Iterator[str]:
    yield from _given
    yield from _credential(path)
    if in_keyring(pem):
        kept = _asked_keyring(lambda ring: ring.get_password(SERVICE, _account(path)))
        yield from [str(kept)] if kept is not None else []
    if sys.stdin.isatty():
        yield str(typer.prompt(f"passphrase of {path}", hide_input=True, err=True))


def _credential(path: Path) -> Iterable[str]:
    """What systemd's `LoadCredential=site:/etc/…` gives for ``site.pem``."""
    folder = os.environ.get(CREDENTIALS)
    file = Path(folder) / _owner(path) if folder else None
    return _lines_of(file, str(file))[:1] if file is not None and file.exists() else []


def _lines_of(file: Path | int, where: str) -> list[str]:
    try:
        with os.fdopen(file, "rb") if isinstance(file, int) else file.open("rb") as opened:
            data = opened.read(MAX_LINES_BYTES + 1)
        lines = [line.rstrip("\r") for line in data.decode().split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(where, error) from error
    found = [line for line in lines if line]
    if len(data) > MAX_LINES_BYTES or not found:
        raise ConsiliumError("holds no passphrase", where=where, cure="one a line, as UTF-8")
    return found


def _unreadable(where: str, error: Exception) -> ConsiliumError:
    """Without what stands in the file."""
    if isinstance(error, OSError):
        return cannot_read(Path(where), error)
    return ConsiliumError("is not UTF-8", where=where)


def _asked_keyring(action: Callable[..., object]) -> object:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        cure = "in a copy of the repository: pip install '.[keyring]'"
        raise ConsiliumError("is not installed", where="the keyring", cure=cure) from error
    try:
        return action(keyring)
    except (KeyringError, RuntimeError) as error:
        what = f"cannot be used ({type(error).__name__})"
        raise ConsiliumError(what, where="the keyring", cure="unlock it, or give the passphrase otherwise") from error


def _account(path: Path) -> str:
    return str(path.resolve().with_name(f"{_owner(path)}.pem"))


def _owner(path: Path) -> str:
    """Whose key: one that waits to take another's place (``site.next.pem``) has the passphrase of that one."""
    return path.name.partition(".")[0]


def _require_terminal(whose: str) -> None:
    if not sys.stdin.isatty():
        raise ConsiliumError("there is nobody to ask for one", where=f"the passphrase for {whose}", cure=NOBODY_NEW)

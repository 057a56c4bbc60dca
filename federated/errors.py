"""One tree of errors whose messages tell a person what is wrong, where, and what to do."""

from __future__ import annotations

LONGEST_LINE = 2000


class ConsiliumError(Exception):
    """A mistake that a person can mend, told in one line.

    Args:
        what: what is wrong.
        where: the file, column, site or field it is about.
        cure: what to do about it.
    """

    def __init__(self, what: str, *, where: str = "", cure: str = "") -> None:
        self.what, self.where, self.cure = what, where, cure
        super().__init__(f"{where}: {what}" if where else what)

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        told = one_line(f"{line}; {self.cure}" if self.cure else line)
        return told if len(told) <= LONGEST_LINE else f"{told[: LONGEST_LINE - 1]}…"  # others' words may be in it


class ContractError(ConsiliumError):
    """Bytes from outside that are not what the contract says: schema, shapes, sizes, canonical form."""


class DamagedError(ContractError):
    """Tensors that are not the ones their signed manifest names: damage on the way, which is not the sender's."""


class SignatureError(ConsiliumError):
    """A signature that is missing, wrong, or made by a key that is unknown or revoked."""


class SequenceError(ConsiliumError):
    """An envelope that is wrongly addressed, out of order, superseded or withdrawn."""


class DisclosureError(ConsiliumError):
    """Something that a named disclosure filter or the hospital's policy does not let out.

    Args:
        filter_name: the filter or policy rule that refused.
    """

    def __init__(self, what: str, *, filter_name: str, where: str = "", cure: str = "") -> None:
        super().__init__(what, where=where, cure=cure)
        self.filter_name = filter_name

    def __str__(self) -> str:
        return f"refused by {self.filter_name}: {super().__str__()}"


class DataError(ConsiliumError):
    """Images, indexes or labels that cannot be used as they are."""


def one_line(text: str) -> str:
    """The text with what does not print, as a line's end or half a character, written as Python writes it."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def cannot_read(path: object, error: Exception) -> ConsiliumError:
    """One line for a file that could not be read."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ConsiliumError(f"cannot be read ({reason})", where=str(path))

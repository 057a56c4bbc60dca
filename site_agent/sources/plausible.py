"""Numbers that tables say, believed where a heart or a scanner can have them.

A doubt repeats no text of a table, which may say anything of a patient; it repeats numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

UNSAID = frozenset({"", "nan", "na", "n/a", "none", "null", "-", "?"})
PERCENT = (0.0, 100.0)
MILLILITRES = (0.0, 1000.0)
RATES_HZ = (1.0, 2000.0)
YEARS = (0.0, 89.0)  # those who are older are few enough to be known by it
SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
SPACINGS_MM = (0.001, 10.0)


def believed(name: str, text: str, span: tuple[float, float], doubts: list[str]) -> float | None:
    """A number within a span, both ends inside; None, and a doubt, where it says anything else."""
    if text.strip().lower() in UNSAID:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        doubts.append(f"{name} is no number: left out")
        return None
    if not span[0] <= value <= span[1]:
        doubts.append(f"{name} of {value:g} is not between {span[0]:g} and {span[1]:g}: left out")
        return None
    return value


def whole(name: str, text: str, span: tuple[int, int], doubts: list[str]) -> int | None:
    """As above, a whole number."""
    value = believed(name, text, span, doubts)
    if value is not None and value != int(value):
        doubts.append(f"{name} of {value:g} is no whole number: left out")
        return None
    return None if value is None else int(value)


def volumes(diastolic: str, systolic: str, doubts: list[str]) -> tuple[float | None, float | None]:
    """End-diastolic and end-systolic ml; neither where the second is the larger."""
    large = believed("end-diastolic volume", diastolic, MILLILITRES, doubts)
    small = believed("end-systolic volume", systolic, MILLILITRES, doubts)
    if large is not None and small is not None and small > large:
        doubts.append(f"end-systolic volume of {small:g} ml is larger than the end-diastolic {large:g}: both left out")
        return None, None
    return large, small


def spacing(numbers: Sequence[float], doubts: list[str]) -> tuple[float, float] | None:
    """Height and width of a pixel in mm from width and height."""
    low, high = SPACINGS_MM
    if len(numbers) < 2 or not all(low <= number <= high for number in numbers[:2]):
        doubts.append("a pixel has no believable width and height: left out")
        return None
    return float(numbers[1]), float(numbers[0])


def sex(text: str) -> dict[str, str]:
    """``female`` or ``male`` as ``sex``; nothing where it says anything else."""
    word = SEXES.get(text.strip().lower())
    return {"sex": word} if word else {}

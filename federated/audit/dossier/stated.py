"""What no manifest says and a person has to: intended use, ethics, funding. A TOML file, which nobody signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints, ValidationError

from federated.errors import ContractError, cannot_read
from federated.faults import first_fault
from federated.manifest import Frozen
from federated.toml_text import toml_as_json

MAX_BYTES = 2**16
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class Stated(Frozen):
    """One text a topic; what is left out is printed as not stated."""

    intended_use: Text | None = None
    intended_users: Text | None = None
    integration: Text | None = None
    target_population: Text | None = None
    eligibility: Text | None = None
    input_eligibility: Text | None = None
    acquisition: Text | None = None
    reference_standard: Text | None = None
    data_sources: Text | None = None
    data_dates: Text | None = None
    setting: Text | None = None
    human_interaction: Text | None = None
    use_of_output: Text | None = None
    error_analysis: Text | None = None
    health_inequalities: Text | None = None
    fairness: Text | None = None
    limits: Text | None = None
    ethics: Text | None = None
    funding: Text | None = None
    conflicts: Text | None = None
    protocol: Text | None = None
    registration: Text | None = None
    data_sharing: Text | None = None
    code_sharing: Text | None = None
    public_involvement: Text | None = None


def read_stated(path: Path) -> Stated:
    """The statements in a file.

    Raises:
        ConsiliumError: it cannot be read, is no TOML, or states something that nobody asks for.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(data) > MAX_BYTES:
        raise ContractError(f"is longer than {MAX_BYTES} bytes", where=str(path))
    try:
        return Stated.model_validate_json(toml_as_json(data))
    except ValidationError as error:
        known = f"known are {', '.join(Stated.model_fields)}"
        raise ContractError(first_fault(error), where=str(path), cure=known) from error
    except ValueError as error:
        raise ContractError(f"is no TOML ({error})", where=str(path)) from error

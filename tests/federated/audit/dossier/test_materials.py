"""The bill of materials names what is installed, once, with what it needs, in the form of CycloneDX 1.6."""

from __future__ import annotations

import json
from importlib.metadata import Distribution, version
from pathlib import Path
from typing import Any

from federated.audit.dossier.materials import Material, bill, installed


class Made(Distribution):
    """A distribution of a few lines of metadata."""

    def __init__(self, *lines: str) -> None:
        self.text = "\n".join(("Metadata-Version: 2.1", *lines))

    def read_text(self, filename: str) -> str | None:
        return self.text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return Path(path)


FOUND = (
    Made("Name: Consilium", "Version: 1.2", "License-Expression: Apache-2.0", "Requires-Dist: Small.Part>=1"),
    Made("Name: small_part", "Version: 3", "License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"),
    Made("Name: Alone", "Version: 4", f"License: {'words ' * 40}"),
    Made("Name: small-part", "Version: 2", "License: MIT"),
    Made("Name: Needs", "Version: 5", "License: BSD", "Requires-Dist: alone ; extra == 'x'", "Requires-Dist: missing"),
)


def test_each_is_named_once_with_what_it_needs() -> None:
    assert installed(FOUND) == (
        Material(name="alone", version="4", license=None, needs=()),
        Material(name="consilium", version="1.2", license="Apache-2.0", needs=("small-part",)),
        Material(name="needs", version="5", license="BSD", needs=("alone",)),
        Material(name="small-part", version="3", license="MIT License", needs=()),
    )


def test_the_bill_is_cyclonedx() -> None:
    told = json.loads(bill(installed(FOUND)))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert told["metadata"]["component"]["purl"] == "pkg:pypi/consilium@1.2"
    assert "timestamp" not in told["metadata"]
    assert [(each["name"], each["version"], each["purl"]) for each in told["components"]] == [
        ("alone", "4", "pkg:pypi/alone@4"),
        ("needs", "5", "pkg:pypi/needs@5"),
        ("small-part", "3", "pkg:pypi/small-part@3"),
    ]
    needs = {each["ref"]: each.get("dependsOn", []) for each in told["dependencies"]}
    assert needs["pkg:pypi/consilium@1.2"] == ["pkg:pypi/small-part@3"]
    assert needs["pkg:pypi/needs@5"] == ["pkg:pypi/alone@4"]


def test_the_same_materials_give_the_same_bytes_and_others_another_number() -> None:
    found = installed(FOUND)
    assert bill(found) == bill(installed(FOUND))
    assert json.loads(bill(found))["serialNumber"] != json.loads(bill(installed(FOUND[1:])))["serialNumber"]


def test_of_this_environment() -> None:
    found = {each.name: each for each in installed()}
    for name in ("numpy", "pydantic", "cryptography", "consilium"):
        assert found[name].version == version(name)
    assert {"numpy", "typer", "cryptography"} <= set(found["consilium"].needs)
    told = json.loads(bill(tuple(found.values())))
    refs = {each["bom-ref"] for each in told["components"]} | {told["metadata"]["component"]["bom-ref"]}
    assert len(refs) == len(found)
    assert {ref for each in told["dependencies"] for ref in (each["ref"], *each.get("dependsOn", []))} <= refs

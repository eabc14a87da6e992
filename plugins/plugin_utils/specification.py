# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan needs from the controller's disk: the schema, the neighbouring estates, the file of trusted roots."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem

# Some hundred controls take the slow parser as long as all else of the plan together.
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCHEMA = Path(__file__).resolve().parents[2] / "roles" / "estate" / "meta" / "argument_specs.yml"


BASELINE = SCHEMA.parents[2] / "docker_host" / "files" / "baseline"


class _Tolerant(yaml.SafeLoader):
    """Reads YAML with tags it does not know (such as !vault) as plain text."""


_Tolerant.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))


@lru_cache(maxsize=1)
def options():
    """The options of the role `estate`: estate_spec and estate_secrets."""
    with SCHEMA.open(encoding="utf-8") as stream:
        return yaml.safe_load(stream)["argument_specs"]["main"]["options"]


@lru_cache(maxsize=1)
def controls():
    """The ids of the baseline's controls."""
    files = (path.read_text(encoding="utf-8") for path in sorted(BASELINE.glob("*.yml")))
    return frozenset(control["id"] for text in files for control in yaml.load(text, Loader=FAST))  # noqa: S506


def directories(sources):
    """The inventory directories behind Ansible's inventory sources, that of the estate first.

    Tools such as Molecule add an inventory of their own, and Ansible lets the last one that names a variable win.
    """
    found = []
    for source in sources:
        path = Path(source)
        if path.exists():
            path = path.resolve()
            found.append(path if path.is_dir() else path.parent)
    found = list(dict.fromkeys(found))
    own = next((path for path in reversed(found) if specification_in(path) is not None), None)
    return sorted(found, key=lambda path: path != own)


def without_hosts(sources, groups):
    """The problem of an inventory that holds no host: mistyped, empty, or refused by Ansible with a warning alone."""
    if groups.get("all"):
        return []
    said = [str(source) for source in sources]
    gone = [source for source in said if "," not in source and not Path(source).exists()]
    if gone:
        return [Problem("inventory", f"{', '.join(gone)} does not exist; give the retailer's with -i")]
    named = ", ".join(said) or "the inventory"
    return [Problem("inventory", f"{named} holds no host; Ansible's warnings above say what it could not read")]


def files_of_all(directory):
    """The files of an inventory directory that hold variables of all hosts."""
    return sorted([*directory.glob("group_vars/all.y*ml"), *directory.glob("group_vars/all/*.y*ml")])


def specification_in(directory):
    """The estate_spec of an inventory directory, untemplated; None when it has none or cannot be read."""
    for path in files_of_all(directory):
        try:
            text = path.read_text(encoding="utf-8")
            data = yaml.load(text, Loader=_Tolerant) if "estate_spec" in text else None  # noqa: S506
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if isinstance(data, dict) and isinstance(data.get("estate_spec"), dict):
            return data["estate_spec"]
    return None


def neighbours(bases):
    """Other estates: those of inventories beside the first one, and those given in the same run."""
    if not bases:
        return {}
    try:
        beside = [path for path in bases[0].parent.iterdir() if path.is_dir() and path != bases[0]]
    except OSError:
        beside = []
    found = {}
    for path in sorted({*beside, *bases[1:]}):
        spec = specification_in(path)
        if spec is not None:
            found[f"{path.parent.name}/{path.name}"] = spec
    return found


def with_ca_file(spec, bases):
    """(spec with an absolute ca_file, and those of its stores, problems)."""
    path, found = certificates(spec.get("ca_file"), "estate_spec.ca_file", bases)
    spec = {**spec, "ca_file": path} if path else spec
    backup = spec.get("backup")
    places = backup.get("repositories") if isinstance(backup, dict) else None
    if isinstance(places, list):
        places = list(places)
        for index, place in enumerate(places):
            said = place.get("ca_file") if isinstance(place, dict) else None
            path, more = certificates(said, f"estate_spec.backup.repositories[{index}].ca_file", bases)
            found += more
            places[index] = {**place, "ca_file": path} if path else place
        spec = {**spec, "backup": {**backup, "repositories": places}}
    return spec, found


def certificates(said, key, bases):
    """(absolute path of a PEM file or None, problems). A relative path starts at the inventory's directory."""
    if not isinstance(said, str) or not said.strip():
        return None, []
    path = Path(said).expanduser()
    path = (path if path.is_absolute() else (bases[0] if bases else Path.cwd()) / path).resolve()
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as err:
        return str(path), [Problem(key, f"{said} cannot be read on the controller: {err.strerror}")]
    if "-----BEGIN CERTIFICATE-----" not in text:
        return str(path), [Problem(key, f"{said} holds no PEM certificate")]
    return str(path), []

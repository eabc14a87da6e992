# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the backups' part of a specification, and of the secrets that it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate import backup as planned
from ansible_collections.retailerp.estate.plugins.module_utils.estate import schema, signature
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem
from ansible_collections.retailerp.estate.plugins.module_utils.host.trading_hours import DAYS

_AT = "estate_spec.backup"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
#: kind of store → what it must have, what it may have besides
_NEEDS = {
    "posix": (("path",), ()),
    "s3": (("bucket", "region", "endpoint", "access_key", "keeper_access_key"), ("path",)),
    "azure": (("account", "container"), ("path", "endpoint")),
}
#: Only a store in a network has these; the schema gives them defaults, so that they are no sign of a mistake.
_NETWORK = ("ca_file", "port", "uri_style", "lock_days")
#: What is derived from the longest retention.
_LONGEST_LOCK = 3650 + planned.OLDEST_DAYS
_SHAPES = {
    "path": (r"/[A-Za-z0-9._/-]*", "an absolute path of letters, digits and . _ - /"),
    "bucket": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket"),
    "region": (r"[a-z0-9-]{2,40}", "a region such as eu-central-1"),
    "account": (r"[a-z0-9]{3,24}", "the name of a storage account"),
    "container": (r"[a-z0-9](-?[a-z0-9]){2,62}", "the name of a container"),
    "endpoint": (r"(?=.*[a-zA-Z])[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a host name, without https:// and port"),
    "access_key": (r"[\w.-]{3,128}", "an access key"),
    "keeper_access_key": (r"[\w.-]{3,128}", "an access key"),
}
#: whose signature → what it may permit at most, and why no more: Azure's x, y and i undo versions and locks
_PERMITTED = {
    "host": ("rcl", "database hosts need: they add and read backups, and neither overwrite nor delete them"),
    "keeper": ("rcwdl", "the keeper needs: it expires backups, and leaves old versions and their lock to the store"),
}


def of_backup(spec: dict, hosts: list) -> list:
    """All problems of a completed `backup` with its hosts; none where there is no such section."""
    backup = spec.get("backup")
    if backup is None:
        return []
    found = [*_repositories(backup.get("repositories")), *_directories(backup.get("repositories"), spec)]
    found += [*_times(backup, spec), *_keeper(backup, spec, hosts)]
    key = backup.get("recovery_key")
    if key is not None and not re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", key):
        found.append(
            Problem(f"{_AT}.recovery_key", "is not the public part of a recovery key, as age-keygen prints it")
        )
    return found


def _repositories(places: Any) -> Iterator:
    at = f"{_AT}.repositories"
    if places is None:
        return
    if not 1 <= len(places) <= 2:
        yield Problem(at, f"holds {len(places)} stores; one or two are possible")
    for index, place in enumerate(places):
        yield from _repository(place, f"{at}[{index}]")
    if len(places) == 2 and _where(places[0]) == _where(places[1]):
        yield Problem(f"{at}[1]", "is the same place as the first; two are for the day on which one is lost")


def _directories(places: Any, spec: dict) -> Iterator:
    """What root on a database host can delete (decision 14) is no backup to survive an intruder by."""
    places = places or []
    locked = any(place.get("type") in ("s3", "azure") and place.get("lock_days") for place in places)
    if spec.get("environment") == "production" and planned.served(spec) and not locked:
        yield Problem(
            f"{_AT}.repositories",
            "hold type posix and none that locks: who breaks into a database host could delete every backup; add a "
            "store of type s3 or azure with lock_days, or write that one alone",
        )


def _where(place: dict) -> tuple:
    # Two directories of one bucket or account are lost together.
    keys = {"posix": ("path",), "s3": ("endpoint", "bucket"), "azure": ("endpoint", "account", "container")}
    return (place.get("type"), *(place.get(key) for key in keys.get(place.get("type"), ("type",))))


def _repository(place: dict, at: str) -> Iterator:
    kind = place.get("type")
    if kind not in _NEEDS:
        return
    needed, allowed = _NEEDS[kind]
    for key in needed:
        if key not in place:
            yield Problem(f"{at}.{key}", f"is missing; a store of type {kind} needs it")
    for key in _SHAPES:
        if key in place and key not in needed + allowed:
            yield Problem(f"{at}.{key}", f"is not an option of a store of type {kind}")
        elif key in place and not re.fullmatch(_SHAPES[key][0], place[key]):
            yield Problem(f"{at}.{key}", f"{place[key]} is not {_SHAPES[key][1]}")
    path = place.get("path", "/x")
    if ".." in path.split("/") or path.rstrip("/") == "":
        yield Problem(f"{at}.path", f"{path} is not a directory of its own")
    if not 0 < place.get("port", 443) < 65536:
        yield Problem(f"{at}.port", f"{place['port']} is not a TCP port")
    if kind == "posix" and place.get("lock_days"):
        yield Problem(f"{at}.lock_days", "is for stores that can lock; a file system cannot")
    elif not 0 <= place.get("lock_days", 0) <= _LONGEST_LOCK:
        yield Problem(f"{at}.lock_days", f"{place['lock_days']} is not between 0 and {_LONGEST_LOCK}")
    if place.get("access_key") is not None and place.get("access_key") == place.get("keeper_access_key"):
        yield Problem(f"{at}.keeper_access_key", "is the hosts' own; the keeper is an identity of its own")


def _times(backup: dict, spec: dict) -> Iterator:
    if "full_day" in backup and backup["full_day"] not in DAYS:
        yield Problem(f"{_AT}.full_day", f"{backup['full_day']} is not a day; write {', '.join(DAYS)}")
    hours = spec.get("trading_hours", {})
    readable = {"from", "to"} <= set(hours) and all(
        re.fullmatch(_CLOCK + "|24:00", hours[key]) for key in ("from", "to")
    )
    for key in ("at", "incremental_at"):
        if key not in backup:
            continue
        if not re.fullmatch(_CLOCK, backup[key]):
            yield Problem(f"{_AT}.{key}", f"{backup[key]} is not a time such as 02:30")
        elif readable and hours["from"] < hours["to"] and planned.trades_at(hours, backup[key]):
            yield Problem(
                f"{_AT}.{key}",
                f"{backup[key]} lies within the trading hours ({hours['from']} to {hours['to']}); backups are for the "
                "time outside them",
            )


def _keeper(backup: dict, spec: dict, hosts: list) -> Iterator:
    names, at = {host.name: host for host in hosts}, f"{_AT}.keeper"
    if "keeper" not in backup:
        yield Problem(at, "is missing, and group ops is empty: name the host that makes and expires backups")
    elif backup["keeper"] not in names:
        near = schema.near(backup["keeper"], sorted(names))
        yield Problem(at, f"{backup['keeper']} is no host of this estate{near}")
    elif "db" in names[backup["keeper"]].tiers and spec.get("environment") == "production" and len(names) > 1:
        yield Problem(
            at,
            f"{backup['keeper']} is a database host: who breaks into it could delete every backup; name another host",
        )


def of_secrets(spec: dict, secrets: Any) -> list:
    """Secrets that this estate's backups need and the vault lacks, and signatures that are not to be used."""
    backup = spec.get("backup")
    if backup is None or not isinstance(secrets, Mapping):
        return []
    ours = ("backup_passphrase", "filestore_gate", "filestore_key")
    needed = dict.fromkeys(ours, "retailerp.estate.estate_secrets makes it")
    for number, place in enumerate(backup.get("repositories", [])[:2], 1):
        issued = {"s3": "the secret key", "azure": "a shared access signature (SAS)"}.get(place.get("type"))
        for who in ("host", "keeper") if issued else ():
            needed[f"backup_{number}_{who}"] = f"{issued} of the {'keeper' if who == 'keeper' else 'database hosts'}"
    found = [
        Problem(f"estate_secrets.{name}", f"is missing ({hint})")
        for name, hint in needed.items()
        if secrets.get(name) is None
    ]
    for name, hint in needed.items():
        # What is locked, or no text, is told of already.
        if "(SAS)" in hint and isinstance(secrets.get(name), str):
            found += _signature(name, secrets[name])
    return found


def _signature(name: str, given: str) -> Iterator:
    at = f"estate_secrets.{name}"
    if "sig=" not in given:
        yield Problem(at, "is no shared access signature, such as sv=...&se=...&sig=...")
        return
    who = name.rpartition("_")[2]
    needed, reason = _PERMITTED[who]
    more = signature.beyond(given, needed)
    if more:
        yield Problem(at, f"permits more (sp, {more}) than {reason}; make one with sp={needed}")
    if not signature.end(given) and not signature.under_policy(given):
        yield Problem(
            at,
            "names no end that can be read, so nobody could be told of it in time; make one with se=, such as "
            "se=2030-01-31, or under a stored access policy (si=)",
        )

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups as they are planned: where to, when, for how long, and who does what. The names of options are pgBackRest's.

The options are those of pgBackRest 2.55 (pgbackrest.org/configuration.html), times those of systemd.time(7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate import signature
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import in_tier
from ansible_collections.retailerp.estate.plugins.module_utils.host.trading_hours import DAYS
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.backup import archive_command

SERVER_PORT = 8432
"""Where pgBackRest on a database host lets the keeper read its data."""
STORE_PORT = 8433
"""Where pgBackRest on the keeper lets database hosts into a store that is a directory there."""
_DAY = 24 * 60
_SETTLE = 30
"""Minutes from closing time to the day's backup: tills are closed, and the day's books with them."""
_LONG_NIGHT = 240
"""Minutes of quiet that hold a second, incremental backup."""
_WHOLE_DAY_AT = 180
"""Where trading never ends: three at night, as most shops' quietest hour."""
OLDEST_DAYS = 8
"""The full backup before the first day of the retention is kept, too: a week older, and a day more where one failed."""


def minutes(text: str) -> int:
    """Minutes since midnight of "HH:MM"."""
    hours, rest = text.split(":")
    return int(hours) * 60 + int(rest)


def clock(minute: int) -> str:
    """The time of day so many minutes after midnight, whichever day's."""
    return f"{minute % _DAY // 60:02d}:{minute % 60:02d}"


def night(hours: dict) -> int:
    """Minutes from one day's closing to the next day's opening."""
    return _DAY - (minutes(hours["to"]) - minutes(hours["from"]))


def trades_at(hours: dict, time: str) -> bool:
    """Whether people sell at this time of some day; where they always do, no time is better than another."""
    return night(hours) > 0 and hours["from"] <= time < hours["to"]


def complete(backup: dict, spec: dict, hosts: list) -> None:
    """Fill in what is derived, in place. What cannot be derived from stays out."""
    ops, hours = in_tier(hosts, "ops"), spec.get("trading_hours", {})
    if ops:
        backup.setdefault("keeper", ops[0].name)
    if {"days", "from", "to"} <= set(hours) and hours["from"] < hours["to"]:
        closed, length = minutes(hours["to"]), night(hours)
        begin = closed + min(_SETTLE, length // 4) if length else _WHOLE_DAY_AT
        backup.setdefault("at", clock(begin))
        if length >= _LONG_NIGHT:
            backup.setdefault("incremental_at", clock(closed + length // 2))
        free = [day for day in DAYS if day not in hours["days"]]
        backup.setdefault("full_day", free[-1] if free else "sun")
    if "repositories" in backup:
        backup["repositories"] = [_completed(place, backup, spec) for place in backup["repositories"]]


def _completed(place: dict, backup: dict, spec: dict) -> dict:
    place = dict(place)
    if place.get("type") in ("s3", "azure") and "id" in spec:
        place.setdefault("path", f"/{spec['id']}")
    if place.get("type") == "azure" and "account" in place:
        # In path style it is the whole name of the server, otherwise the part behind the account's.
        whole = place.get("uri_style") == "path"
        place.setdefault("endpoint", f"{place['account']}.blob.core.windows.net" if whole else "blob.core.windows.net")
    if spec.get("ca_file"):
        place.setdefault("ca_file", spec["ca_file"])
    if spec.get("environment") == "production" and place.get("type") in ("s3", "azure"):
        place.setdefault("lock_days", backup.get("retention_days", 0) + OLDEST_DAYS)
    place.setdefault("lock_days", 0)
    return place


def note_ends(spec: dict, secrets: Mapping) -> None:
    """Fill in when the first of a store's signatures ends, in place: all that the plan takes from a secret."""
    for number, place in enumerate(spec.get("backup", {}).get("repositories", ()), 1):
        if place["type"] == "azure":
            ends = (signature.end(secrets[f"backup_{number}_{who}"]) for who in ("host", "keeper"))
            first = min(filter(None, ends), default=None)
            place["credential_end"] = first and first.isoformat()


def served(spec: dict) -> bool:
    """Whether a store is a directory of the keeper, which database hosts reach through a server there."""
    return any(place.get("type") == "posix" for place in spec.get("backup", {}).get("repositories") or ())


def settings(spec: dict) -> dict:
    """What the server is told; the archiver's own options are in pgBackRest's configuration."""
    if "backup" not in spec:
        return {}
    return {
        "archive_mode": "on",
        "archive_command": archive_command(spec["id"]),
        # What was committed last is in a segment that is not full yet.
        "archive_timeout": f"{spec['backup']['archive_timeout_s']}s",
    }


def repositories(spec: dict, server: str | None) -> list:
    """The stores as one of the two identities sees them: pgBackRest's options by their names without the number.

    server: for a database host, the keeper's address; None for the keeper itself.
    """
    return [_repository(index, place, server) for index, place in enumerate(spec["backup"]["repositories"], 1)]


def _repository(number: int, place: dict, server: str | None) -> dict:
    kind, keeper, options = place["type"], server is None, {"type": place["type"], "path": place["path"]}
    if kind == "posix":
        # Recovery points lie beside it, in a directory of another user.
        options["path"] = f"{place['path'].rstrip('/')}/database"
        if server:
            options = {"host": server, "host-type": "tls", "host-port": STORE_PORT}
    if kind == "s3":
        options |= {
            "s3-bucket": place["bucket"],
            "s3-region": place["region"],
            "s3-endpoint": place["endpoint"],
            "s3-uri-style": place["uri_style"],
            "s3-key": place["keeper_access_key" if keeper else "access_key"],
        }
    if kind == "azure":
        options |= {
            "azure-account": place["account"],
            "azure-container": place["container"],
            "azure-endpoint": place["endpoint"],
            "azure-uri-style": place["uri_style"],
            "azure-key-type": "sas",
        }
        if not keeper:
            # A segment, and what encryption adds, in one piece: blocks want the right to overwrite (w).
            options["storage-upload-chunk-size"] = "17MiB"
    if kind != "posix":
        options["storage-port"] = place["port"]
    return {
        "number": number,
        "type": kind,
        "options": options,
        "secret_option": {"s3": "s3-key-secret", "azure": "azure-key"}.get(kind),
        "secret": f"backup_{number}_{'keeper' if keeper else 'host'}" if kind != "posix" else None,
        "ca_file": place.get("ca_file") if kind != "posix" else None,
        "lock_days": place["lock_days"],
        # Of both identities, as the keeper judges it for both.
        "credential_end": place.get("credential_end"),
    }


def schedule(spec: dict) -> dict:
    """Type of backup → when, as a systemd timer takes it; full and differential share the days of the week."""
    backup, zone = spec["backup"], spec["time_zone"]
    full = backup["full_day"].capitalize()
    others = ",".join(day.capitalize() for day in DAYS if day != backup["full_day"])
    times = {"full": f"{full} *-*-* {backup['at']}:00 {zone}", "diff": f"{others} *-*-* {backup['at']}:00 {zone}"}
    if "incremental_at" in backup:
        times["incr"] = f"*-*-* {backup['incremental_at']}:00 {zone}"
    return times


def of_host(spec: dict, hosts: list, host: Any) -> Any:
    """A database host's slice; None where there are no backups, and on other hosts. It archives, and is read."""
    if "backup" not in spec or "db" not in host.tiers:
        return None
    keeper = next(one.address for one in hosts if one.name == spec["backup"]["keeper"])
    return {
        "stanza": spec["id"],
        "repositories": repositories(spec, keeper),
        "address": host.address,
        "port": spec["postgresql"]["port"],
        "server_port": SERVER_PORT,
        "wal_queue_mb": spec["backup"]["wal_queue_mb"],
        "processes": _processes(host),
    }


def of_keeper(spec: dict, hosts: list, host: Any) -> Any:
    """The slice of the host that makes backups and expires them; None on all others."""
    if "backup" not in spec or spec["backup"].get("keeper") != host.name:
        return None
    return {
        "stanza": spec["id"],
        "repositories": repositories(spec, None),
        "store_server": {"address": host.address, "port": STORE_PORT} if served(spec) else None,
        "members": {member.name: member.address for member in in_tier(hosts, "db")},
        "port": spec["postgresql"]["port"],
        "server_port": SERVER_PORT,
        "schedule": schedule(spec),
        "jitter_s": spec["backup"]["jitter_minutes"] * 60,
        "retention_days": spec["backup"]["retention_days"],
        "recovery_key": spec["backup"].get("recovery_key"),
        "processes": _processes(host),
    }


def _processes(host: Any) -> int:
    """Half of the processors are the shop's, at night, too."""
    return max(1, host.cpus // 2)

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery points as they are planned: who adds them, where the gate is, when old ones are forgotten."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate.backup import clock, minutes
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import in_tier
from ansible_collections.retailerp.estate.plugins.module_utils.estate.series import SERIES

GATE_PORT = 8000
"""Where restic's own server listens by default; a gate speaks the same."""
#: Points that stay whatever their age: an estate whose backups stopped keeps its last ones.
KEEP_LEAST = 3
KEEPER_AFTER_MIN = 12 * 60
#: A drill is due after the keeper's turn, once a week.
DRILL_AFTER_MIN = 14 * 60
#: A day, and what the timers' jitter and a slow night may add.
OLDEST_H = 26
#: Minutes from the database's backup to the point. One that takes longer does no harm: the place in the log counts.
AFTER_MIN = 60
#: rclone's buffers and restic's index of some million files.
MEMORY_MB = 512


def keeper_of(spec: dict, hosts: list) -> Any:
    """The host that keeps recovery points; None where there are no backups."""
    named = spec.get("backup", {}).get("keeper")
    return next((host for host in hosts if host.name == named), None)


def of_app(spec: dict, hosts: list, host: Any) -> Any:
    """An application host's slice; None where there are no backups, and on other hosts."""
    keeper = keeper_of(spec, hosts)
    if not keeper or "app" not in host.tiers:
        return None
    own = spec["odoo"]
    return {
        "estate": spec["id"],
        "user": spec["id"],
        # The volume that role odoo gives its containers, as the engine lays it out.
        "directory": f"/var/lib/docker/volumes/{spec['id']}-odoo-data/_data/filestore/{own['database']}",
        "uid": own["uid"],
        "oldest_h": OLDEST_H,
        # After the database's own, which begins then.
        "at": f"*-*-* {clock(minutes(spec['backup']['at']) + AFTER_MIN)}:00 {spec['time_zone']}",
        "jitter_s": spec["backup"]["jitter_minutes"] * 60,
        "gate": {"host": keeper.name, "address": keeper.address, "port": GATE_PORT},
        "recovery_key": spec["backup"].get("recovery_key"),
        "odoo": {"image": own["image"], "series": own["series"], "health_path": SERIES[own["series"]]["health_path"]},
    }


def of_gate(spec: dict, hosts: list, host: Any) -> Any:
    """The keeper's slice; None on all other hosts."""
    if keeper_of(spec, hosts) != host or not in_tier(hosts, "app"):
        return None
    backup = spec["backup"]
    return {
        "address": host.address,
        "port": GATE_PORT,
        "users": [spec["id"]],
        "store": store(spec["backup"]["repositories"][0]),
        # Of the database's backups. That points go to the first alone is told.
        "stores": len(backup["repositories"]),
        "keep_days": backup["retention_days"],
        "keep_least": KEEP_LEAST,
        "memory_mb": MEMORY_MB,
        # By day: nothing is taken then, and what was taken at night is proven.
        "at": f"*-*-* {clock(minutes(backup['at']) + KEEPER_AFTER_MIN)}:00 {spec['time_zone']}",
        "jitter_s": backup["jitter_minutes"] * 60,
    }


def store(place: dict) -> dict:
    """Where recovery points lie: beside the database's backups in the first store, in rclone's words.

    remote: the path, on the section C(place) where it is not a directory; secret: the option of that section that is
    the secret C(backup_1_keeper), and what is written before it. Options are those of rclone 1.60's manual.
    """
    below = f"{place['path'].rstrip('/')}/filestore"
    port = "" if place["port"] == 443 else f":{place['port']}"
    found = {"remote": below, "directory": None, "section": {}, "secret": None, "ca_file": place.get("ca_file")}
    if place["type"] == "posix":
        return {**found, "directory": below, "ca_file": None}
    if place["type"] == "azure":
        path_style = place["uri_style"] == "path"
        server = place["endpoint"] if path_style else f"{place['account']}.{place['endpoint']}"
        within = f"{place['account']}/{place['container']}" if path_style else place["container"]
        return {
            **found,
            "remote": f"place:{place['container']}{below}",
            "section": {"type": "azureblob"},
            "secret": ["sas_url", f"https://{server}{port}/{within}?"],
        }
    section = {
        "type": "s3",
        "provider": "Other",
        "access_key_id": place["keeper_access_key"],
        "region": place["region"],
        "endpoint": f"https://{place['endpoint']}{port}",
        "force_path_style": "true" if place["uri_style"] == "path" else "false",
        # It is not ours to make.
        "no_check_bucket": "true",
    }
    return {
        **found,
        "remote": f"place:{place['bucket']}{below}",
        "section": section,
        "secret": ["secret_access_key", ""],
    }


def of_drill(spec: dict, hosts: list, host: Any) -> Any:
    """What the keeper needs to restore a point beside everything else; None on all other hosts."""
    if of_gate(spec, hosts, host) is None:
        return None
    backup, own = spec["backup"], spec["odoo"]
    at = clock(minutes(backup["at"]) + DRILL_AFTER_MIN)
    return {
        "stanza": spec["id"],
        "repositories": list(range(1, len(backup["repositories"]) + 1)),
        "database": own["database"],
        "user": f"{spec['id']}_application",
        "image": own["image"],
        "uid": own["uid"],
        "memory_mb": 1024,
        "longest_s": 4 * 3600,
        "at": f"{backup['full_day'].capitalize()} *-*-* {at}:00 {spec['time_zone']}",
        "jitter_s": backup["jitter_minutes"] * 60,
    }

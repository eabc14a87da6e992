# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One release of Odoo: its identity, its files and its containers. Pure: no I/O, no Ansible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.conf import (
    BUS_PORT,
    CRON_S,
    DATA,
    HOME,
    HTTP_PORT,
    render,
)

ROOT = "/etc/estate/odoo"
#: The host's own trusted roots, with those the operator added: what a container's HTTPS clients go by.
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
#: A cold start loads every module's Python; the database may be failing over meanwhile.
WAIT = {"timeout_s": 300, "interval_s": 2}
CONF = ["-c", f"{HOME}/odoo.conf"]
#: The scheduler works while its server, the child of the engine's init, has a child: Odoo stops a worker that hangs and
#: starts another. That jobs really run is judged in the database (control odoo.cron.punctual).
CRON_ALIVE = """
import os, sys
stat = lambda pid: open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()
up = lambda pid: int(stat(pid)[1])
pids = [int(pid) for pid in os.listdir('/proc') if pid.isdigit()]
sys.exit(not any(up(pid) > 1 and up(up(pid)) == 1 and stat(pid)[0] != 'Z' for pid in pids))
"""


def build(
    plan: Mapping[str, Any], id: str, secrets: Mapping[str, str], ca_certificate: str, addons: Mapping[str, str]
) -> dict:
    """Everything the role hands to its modules.

    plan: the app host's slice; id: the estate's; secrets: see conf.render; ca_certificate: what signs the database's
    and the cache's certificates, PEM; addons: path → digest of each file of our addons.
    Returns release (16 hexadecimal digits), root, directory, conf (secret), ca_certificate and containers.
    """
    conf = render(plan, secrets)
    blocks = containers(plan, id, f"{ROOT}/(release)")
    identity = json.dumps([conf, ca_certificate, dict(addons), blocks], sort_keys=True)
    release = hashlib.sha256(identity.encode()).hexdigest()[:16]
    directory = f"{ROOT}/{release}"
    return {
        "release": release,
        "root": ROOT,
        "directory": directory,
        "conf": conf,
        "ca_certificate": ca_certificate,
        "containers": containers(plan, id, directory),
    }


def environment() -> dict:
    """Nothing secret, and nothing odoo.conf says: libpq's and the TLS libraries' own."""
    return {
        "HOME": DATA,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": f"{HOME}/ca.pem",
        "PGTARGETSESSIONATTRS": "read-write",
        "PGCONNECT_TIMEOUT": "5",
        "REQUESTS_CA_BUNDLE": TRUSTED,
        "SSL_CERT_FILE": TRUSTED,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def mounts(id: str, directory: str) -> list[dict]:
    """What every container of Odoo sees: its release, the filestore, the trusted roots."""
    return [
        {"type": "bind", "source": directory, "target": HOME, "read_only": True},
        {"type": "volume", "source": f"{id}-odoo-data", "target": DATA, "read_only": False},
        {"type": "bind", "source": TRUSTED, "target": TRUSTED, "read_only": True},
    ]


def containers(plan: Mapping[str, Any], id: str, directory: str) -> list[dict]:
    """The three containers, as container_release takes them."""
    threads = f"--max-cron-threads={plan['cron_threads']}"
    cron = ["odoo", *CONF, "--no-http", "--workers=1", threads, f"--limit-time-cpu={CRON_S}"]
    alive = ["python3", "-c", CRON_ALIVE]
    common = {
        "image": plan["image"],
        "user": f"{plan['uid']}:{plan['gid']}",
        "environment": environment(),
        "extra_hosts": dict(plan["extra_hosts"]),
        "mounts": mounts(id, directory),
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,noexec,size=512m,uid={plan['uid']},gid={plan['gid']},mode=0700"},
    }
    return [
        {**common, **_served(plan, "web", HTTP_PORT), "command": ["odoo", *CONF]},
        {**common, **_served(plan, "gevent", BUS_PORT), "command": ["odoo", "gevent", *CONF]},
        {**common, **_sized(plan, "cron"), "command": cron, "ports": [], "health": {"command": alive, **WAIT}},
    ]


def _served(plan: Mapping[str, Any], name: str, port: int) -> dict:
    """What a container that answers HTTP has more: a port in each slot, and a page that proves it works."""
    ports = [
        {"slot": slot, "address": plan["address"], "port": numbers[name], "container_port": port}
        for slot, numbers in sorted(plan["slots"].items())
    ]
    page = {"port": port, "path": plan["health_path"], "host": plan["url"].split("://")[1], "status": 200}
    return {**_sized(plan, name), "ports": ports, "health": {"http": page, **WAIT}}


def _sized(plan: Mapping[str, Any], name: str) -> dict:
    # A request under way may end; what is left of a scheduled job starts again in the next release.
    return {"name": name, "memory_mb": plan["containers"][name]["memory_mb"], "stop_timeout_s": 60}

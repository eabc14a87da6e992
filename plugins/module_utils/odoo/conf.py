# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""odoo.conf of one release, for the series 14 to 19. Pure: no I/O, no Ansible.

Everything a process of Odoo must know is in this file, so that no password is an argument or an environment variable.
From 19 on the order is arguments, environment, file: the containers' environment names nothing that is here.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

MIB = 1024 * 1024
HTTP_PORT = 8069
BUS_PORT = 8072
HOME = "/etc/odoo"  # where a container sees its release's files
DATA = "/var/lib/odoo"
#: Rounds of PBKDF2, as Odoo itself uses from 17 on; older series read the number from the hash.
ROUNDS = 600_000
#: A scheduled job may work for an hour; the limits of a request would cut month-end runs short.
CRON_S = 3600


def render(plan: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """The file's text.

    plan: the app host's slice. secrets: database (password of the application's role), sessions (of the Redis user),
    master (Odoo's database manager, which is closed anyway). Raises EstateError for what an INI file cannot hold.
    """
    major = int(plan["series"].split(".")[0])
    limits, cache = plan["limits"], plan["redis"]
    options = {
        "addons_path": f"{HOME}/addons",
        "data_dir": DATA,
        "server_wide_modules": ",".join(["base", *(["rpc"] if major >= 19 else []), "web", "estate_session_redis"]),
        "http_interface": "0.0.0.0",
        "http_port": HTTP_PORT,
        plan["bus"]["port_option"]: BUS_PORT,
        "proxy_mode": plan["proxy_mode"],
        "db_host": ",".join(plan["db"]["hosts"]),
        "db_port": plan["db"]["port"],
        # The only database there is for Odoo. No dbfilter beside it: with one, Odoo looks for databases that its own
        # role owns, and this one belongs to another.
        "db_name": plan["db"]["name"],
        "db_user": plan["db"]["user"],
        "db_password": secrets["database"],
        "db_sslmode": "verify-full",
        "db_template": "template0",
        "db_maxconn": plan["db_maxconn"],
        "list_db": False,
        "admin_passwd": hashed(secrets["master"], salt_of(secrets["master"], plan["db"]["name"])),
        "unaccent": True,
        "workers": plan["workers"],
        "max_cron_threads": 0,
        "limit_memory_soft": limits["memory_soft_mb"] * MIB,
        "limit_memory_hard": limits["memory_hard_mb"] * MIB,
        "limit_time_cpu": limits["time_cpu_s"],
        "limit_time_real": limits["time_real_s"],
        "limit_time_real_cron": CRON_S,
        "log_level": "info",
        "log_db": False,
        **_demo(major, plan["demo"]),
        "estate_session_redis_host": cache["host"],
        "estate_session_redis_port": cache["port"],
        "estate_session_redis_db": cache["db"],
        "estate_session_redis_username": cache["user"],
        "estate_session_redis_password": secrets["sessions"],
        "estate_session_redis_ca_file": f"{HOME}/ca.pem",
    }
    lines = [f"{name} = {_value(name, value)}" for name, value in options.items()]
    return "\n".join(["; Managed by retailerp.estate (role odoo).", "[options]", *lines, ""])


def _demo(major: int, demo: bool) -> dict:
    """Whether a new database gets demonstration data; 19 turned the option round."""
    if major >= 19:
        return {"with_demo": demo}
    return {"without_demo": False if demo else "all"}


def _value(name: str, value: Any) -> str:
    text = str(value)
    if "\n" in text or "\r" in text or text != text.strip():
        raise EstateError(f"odoo.conf cannot hold {name}: it has a line break, or a blank at its beginning or end")
    return text


def salt_of(secret: str, purpose: str) -> bytes:
    """A salt of this secret and this use, the same at every run, so that a file does not change by itself."""
    return hmac.new(secret.encode(), f"retailerp.estate {purpose}".encode(), hashlib.sha256).digest()[:16]


@functools.lru_cache(maxsize=16)  # a role asks for the same hash in every task
def hashed(secret: str, salt: bytes, rounds: int | None = None) -> str:
    """A password as passlib's pbkdf2_sha512 writes it, which is what Odoo reads."""
    rounds = rounds or ROUNDS
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, rounds)
    return f"$pbkdf2-sha512${rounds}${_ab64(salt)}${_ab64(digest)}"


def matches(secret: str, stored: str | None) -> bool:
    """Whether a stored passlib hash is of this password. Anything that is no such hash matches nothing."""
    parts = (stored or "").split("$")
    if len(parts) != 5 or parts[1] != "pbkdf2-sha512" or not parts[2].isdigit():
        return False
    try:
        salt = base64.b64decode(_padded(parts[3]))
    except ValueError:
        return False
    return hmac.compare_digest(hashed(secret, salt, int(parts[2])), stored or "")


def _ab64(data: bytes) -> str:
    """passlib's base64: a full stop for the plus sign, no padding."""
    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")


def _padded(text: str) -> str:
    return text.replace(".", "+") + "=" * (-len(text) % 4)

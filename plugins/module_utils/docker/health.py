# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a container does its work, asked from the host, as those who use it ask."""

from __future__ import annotations

import http.client
from typing import Any

ANSWER_S = 10  # how long one answer may take


def ask_http(address: str, port: int, health: dict) -> str:
    """Ask for a page; empty when it answers with the expected status, otherwise what happened instead.

    health: path, host (the Host header, or None for the address) and status.
    """
    connection = http.client.HTTPConnection(address, port, timeout=ANSWER_S)
    headers = {"User-Agent": "retailerp.estate", "Connection": "close"}
    if health["host"]:
        headers["Host"] = health["host"]
    try:
        connection.request("GET", health["path"], headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as err:
        return f"http://{address}:{port}{health['path']}: {err or type(err).__name__}"
    finally:
        connection.close()
    if status != health["status"]:
        return f"http://{address}:{port}{health['path']} answered {status}, not {health['status']}"
    return ""


def ask_command(engine: Any, id: str, command: list[str]) -> str:
    """Run a command in the container; empty when it returns 0, otherwise how it ended."""
    code, output = engine.execute(id, command)
    return "" if code == 0 else f"{command[0]} returned {code}: {output.strip()[-300:]}"

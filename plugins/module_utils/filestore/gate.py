# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate in front of a repository, asked as its client asks it, and as an intruder with the client's password would.

It speaks restic's REST protocol (restic's references, "REST Backend"). rclone with --append-only answers 403 to every
removal but a lock's before it looks for the object (rclone, cmd/serve/restic): asking for what is not there
harms nobody.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.result import Control, EstateError

TIMEOUT_S = 10
NOBODYS = "snapshots/" + "0" * 64


@dataclass(frozen=True)
class Gate:
    """Where a gate is and who its client is. password is a secret."""

    host: str
    port: int
    path: str
    user: str
    password: str
    ca_file: str | None

    def reach(self) -> None:
        """Raises EstateError at once when nobody answers there."""
        try:
            socket.create_connection((self.host, self.port), timeout=TIMEOUT_S).close()
        except OSError as err:
            raise EstateError(f"nobody answers at the gate {self.host}:{self.port}: {err}") from None

    def ask(self, method: str, what: str, password: str | None) -> int:
        """The status that a request gets; without a password it is a stranger's."""
        request = urllib.request.Request(f"https://{self.host}:{self.port}{self.path}{what}", method=method)
        if password is not None:
            pair = base64.b64encode(f"{self.user}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {pair}")
        trusted = ssl.create_default_context(cafile=self.ca_file)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
        )
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                return answer.status
        except urllib.error.HTTPError as err:
            return err.code
        except OSError as err:
            raise EstateError(f"the gate {self.host}:{self.port} does not answer: {err}") from None


def of(location: str, ca_file: str | None) -> Gate | None:
    """From a repository's address as restic takes it; None for one without a gate."""
    said = re.fullmatch(r"rest:(https://.*)", location.strip())
    if not said:
        return None
    url = urllib.parse.urlsplit(said[1])
    try:
        port = url.port or 443
    except ValueError:
        # Its words are a part of the address, and that may be of the password.
        raise EstateError("the repository's address has no port that is a number; is its password encoded?") from None
    user, password = (urllib.parse.unquote(part or "") for part in (url.username, url.password))
    return Gate(url.hostname or "", port, url.path.rstrip("/") + "/", user, password, ca_file)


def controls(gate: Gate) -> list[Control]:
    """What must hold of a gate, tried."""
    check = Control.check
    return [
        check(
            "filestore.gate.delete",
            "With this host's password nothing in the repository can be removed",
            gate.ask("DELETE", NOBODYS, gate.password),
            403,
            "the gate removes what it is told to: is --append-only missing in its unit?",
        ),
        check(
            "filestore.gate.stranger",
            "The gate refuses who has no password",
            gate.ask("GET", "config", None),
            401,
            "the gate lets anybody read: is its password file missing?",
        ),
    ]

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patroni's REST API on this host, over TLS with certificates on both sides."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.patroni import plan
from ansible_collections.retailerp.estate.plugins.module_utils.patroni.plan import Current, Member
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

PLACE = {
    "address": {"type": "str", "required": True},
    "api_port": {"type": "int", "default": 8008},
    "tls_directory": {"type": "path", "required": True},
}
"""Where this host's Patroni answers."""
ARGUMENTS = {"member": {"type": "str", "required": True}, **PLACE}
"""As the Patroni modules take them (documented in doc_fragments/patroni_member.py)."""
WATCHDOG = "/dev/watchdog"
STALE_LOOPS = 2
"""So many loops without a word from the voters, and this member counts as cut off from them."""
AWAY_S = 60
"""More than two loops, for which Patroni waits before it restarts a standby that commits wait for."""


@dataclass(frozen=True)
class Api:
    """Where it listens, and the directory with ca.pem, cert.pem and key.pem."""

    address: str
    port: int
    tls: str

    def ask(self, method: str, path: str, body: Any = None, timeout_s: float = 15) -> tuple[int, Any]:
        """Status and answer, parsed where it is JSON. Raises OSError when nobody answers."""
        context = ssl.create_default_context(cafile=os.path.join(self.tls, "ca.pem"))
        context.load_cert_chain(os.path.join(self.tls, "cert.pem"), os.path.join(self.tls, "key.pem"))
        connection = http.client.HTTPSConnection(self.address, self.port, timeout=timeout_s, context=context)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except http.client.HTTPException as err:
            raise OSError(f"{self.address}:{self.port} broke off: {err}") from err
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.strip()

    def do(self, method: str, path: str, body: Any, what: str, timeout_s: float) -> None:
        """Have something done; what Patroni says against it is the error."""
        try:
            status, said = self.ask(method, path, body, timeout_s)
        except OSError as err:
            raise EstateError(f"{what}: Patroni does not answer: {err}") from err
        if status not in (200, 202):
            raise EstateError(f"{what}: Patroni says: {said}")


def of(params: Mapping[str, Any]) -> Api:
    """From the options of a module (ARGUMENTS)."""
    return Api(params["address"], params["api_port"], params["tls_directory"])


def read(api: Api) -> Current:
    """The cluster as this host's Patroni sees it. One that does not run or answer is an answer, too."""
    try:
        _status, own = api.ask("GET", "/patroni")
        _status, cluster = api.ask("GET", "/cluster")
        found, settings = api.ask("GET", "/config")
    except OSError:
        return Current(answering=False)
    if not isinstance(own, dict) or not isinstance(cluster, dict):
        # It answers, and has not yet met the voters.
        return Current(answering=True, isolated=True)
    members = tuple(Member.of(told) for told in cluster.get("members", ()))
    loop_s = settings.get("loop_wait", 10) if isinstance(settings, dict) else 10
    return Current(
        answering=True,
        members=members,
        settings=settings if found == 200 and isinstance(settings, dict) else None,
        isolated=time.time() - own.get("dcs_last_seen", 0) > STALE_LOOPS * loop_s + 10,
        paused=bool(cluster.get("pause")),
        watchdog=os.path.exists(WATCHDOG),
    )


def restart(api: Api, wait_s: float) -> None:
    """Restart the server by Patroni, once it has noticed that settings wait for that; a leader stays the leader."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            _status, own = api.ask("GET", "/patroni")
            if isinstance(own, dict) and own.get("pending_restart"):
                break
        except OSError as err:
            raise EstateError(f"restart: Patroni does not answer: {err}") from err
        if time.monotonic() >= deadline:
            raise EstateError(f"Patroni has not noticed after {wait_s:.0f} s that settings wait for a restart")
        time.sleep(0.5)
    api.do("POST", "/restart", {"restart_pending": True}, "restart", wait_s)


def wait_to_restart(api: Api, name: str, wait_s: float) -> None:
    """Wait until this standby may be restarted; a leader is refused at once. Changes nothing."""
    current = _wait(api, lambda current: plan.may_restart(current, name), wait_s)
    if current is not None:
        missing = [other for other in plan.uncounted(current) if other != name]
        raise EstateError(
            f"{name} is not restarted: after {wait_s:.0f} s "
            + (f"no commit waits for {', '.join(missing)}" if missing else "nobody leads, or it is no member")
            + "; see patronictl list"
        )


def restart_standby(api: Api, name: str, wait_s: float) -> None:
    """Restart a standby's server by Patroni, and wait until commits wait for it again.

    Patroni takes it out of those that commits wait for first, which may last two of its loops. One that has become the
    leader meanwhile is not restarted.
    """
    order = {"role": "replica", "timeout": int(wait_s)}
    api.do("POST", "/restart", order, f"restart of {name} as a standby", wait_s + AWAY_S)
    if _wait(api, lambda current: plan.counted(current, name), wait_s) is not None:
        raise EstateError(f"{name} was restarted, and after {wait_s:.0f} s no commit waits for it; see patronictl list")


def _wait(api: Api, holds: Callable[[Current], bool], wait_s: float) -> Current | None:
    """None once it holds; what was seen last if it does not in time."""
    deadline = time.monotonic() + wait_s
    while not holds(current := read(api)):
        if time.monotonic() >= deadline:
            return current
        time.sleep(0.5)
    return None

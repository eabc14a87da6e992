# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the estate's firewall that belongs to releases: published ports that let no new connection in.

A server that is told to end still has its socket open until it is gone. Who connects then is accepted by the kernel and
answered by nobody. Refused at once instead, a proxy asks the next server. The set is made by the role docker_host.
"""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SET = ("inet", "estate", "draining")
NO_SUCH = "No such file or directory"


class Firewall:
    """The set of refused ports. On a host without it nothing is refused, and nothing fails."""

    def __init__(self, system: System) -> None:
        self._system = system

    def refuse(self, ports: Collection[int], seconds: int) -> bool:
        """Turn new connections to these ports away for so long or until they are admitted; False: there is no set."""
        changed = [self._change("add", f"{port} timeout {seconds}s") for port in ports]
        return any(changed)

    def admit(self, ports: Collection[int]) -> None:
        """Let connections in again."""
        for port in ports:
            self._change("delete", str(port))

    def _change(self, verb: str, element: str) -> bool:
        code, _out, err = self._system.run(["nft", verb, "element", *SET, f"{{ {element} }}"])
        if code not in (0, 127) and NO_SUCH not in err:
            raise EstateError(f"nft {verb} element {' '.join(SET)} {element}: {err.strip()}")
        return code == 0

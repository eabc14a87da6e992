# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: installed whole, no service started before it is configured, held where that is wanted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

LISTS = "/var/lib/apt/lists"
LISTS_KEEP_S = 24 * 60 * 60
POLICY = "/usr/sbin/policy-rc.d"
INSTALL_TIMEOUT_S = 30 * 60
# Another apt (unattended-upgrades at boot, a colleague) is waited for; files the operator changed stay as they are.
APT = [
    *("env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "apt-get", "--quiet", "--yes"),
    *(
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
    ),
]
# What dpkg says of a package that an interrupted run left neither absent nor installed.
BROKEN = ("half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")
INTERRUPTED = "packages of an interrupted installation"


@dataclass(frozen=True)
class Seen:
    """dpkg's word on this host: package → (wanted: install, hold, …; status: installed, unpacked, …)."""

    packages: dict[str, tuple[str, str]] = field(default_factory=dict)
    journal: bool = False  # dpkg was stopped in the middle and refuses work until its journal is worked off

    def installed(self, name: str) -> bool:
        return self.packages.get(name, ("", ""))[1] == "installed"

    def held(self, name: str) -> bool:
        return self.packages.get(name, ("", ""))[0] == "hold"

    def broken(self) -> list[str]:
        """Packages that are neither absent nor installed."""
        return sorted(name for name, (_wanted, status) in self.packages.items() if status in BROKEN)


def plan(seen: Seen, names: list[str], hold: list[str]) -> list[Change]:
    """First mend what was interrupted, then install, then hold."""
    broken, changes = seen.broken(), []
    if seen.journal or broken:
        changes.append(Change(INTERRUPTED, "update", ", ".join(broken) or "dpkg's journal", "installed whole"))
    for name in names:
        if not seen.installed(name) and name not in broken:
            changes.append(Change(f"package {name}", "create", None, "installed", data=name))
    changes += [Change(f"hold of package {name}", "create", None, "held") for name in hold if not seen.held(name)]
    return changes


class Packages:
    """The capability: packages that are to be there, and those among them that are to be held at their version."""

    def __init__(self, names: list[str], hold: list[str], system: System) -> None:
        self.names, self.hold, self._system = names, hold, system

    def read(self) -> Seen:
        """Every package dpkg knows on this host."""
        what = "--showformat=${Package} ${db:Status-Want} ${db:Status-Status}\n"
        lines = (line.split() for line in self._run(["dpkg-query", "--show", what]).splitlines())
        journal = any(name.isdigit() for name in os.listdir("/var/lib/dpkg/updates"))
        return Seen({name: (wanted, status) for name, wanted, status in lines}, journal)

    def plan(self, current: Seen) -> list[Change]:
        """See the function of this name."""
        return plan(current, self.names, self.hold)

    def apply(self, changes: list[Change]) -> None:
        """Mend, install and hold, with one call each, however many packages there are."""
        missing = [change.data for change in changes if change.data]
        with self._services_stay_stopped():
            if any(change.resource == INTERRUPTED for change in changes):
                self._mend()
            if missing:
                self._install(missing)
        self._keep_held()

    def upgrade(self, versions: dict[str, str], mend: bool = False) -> None:
        """Bring installed packages to these versions, held or not. No service is touched: it runs on as it was.

        mend: finish what an interrupted run left first.
        """
        wanted = [f"{name}={version}" for name, version in versions.items()]
        with self._services_stay_stopped():
            if mend:
                self._mend()
            if wanted:
                self._run([*APT, "--no-install-recommends", "--allow-change-held-packages", "install", *wanted])
        self._keep_held()

    def remove(self, names: list[str]) -> None:
        """Remove packages with their configuration, held or not, and nothing else."""
        with self._services_stay_stopped():
            self._run([*APT, "--allow-change-held-packages", "purge", *names])

    def refresh(self) -> None:
        """Fetch the package lists anew."""
        self._run([*APT, "-o", "APT::Update::Error-Mode=any", "update"])

    def controls(self, current: Seen) -> list[Control]:
        """That nothing is missing, half installed or free to change its version."""
        left = [f"{change.action} {change.resource}" for change in self.plan(current)]
        title = "Every package is installed whole, and held where a version must not change by itself"
        return [Control.check("host.packages", title, left, [], "run again without check mode")]

    def _install(self, missing: list[str]) -> None:
        """Install with lists of today; what they do not offer is asked for once more with lists fetched anew.

        apt believes lists that are damaged as long as the archive has not changed, so they go first.
        """
        install = [*APT, "--no-install-recommends", "install", *missing]
        if self._lists_are_fresh():
            if self._system.run(install, timeout_s=INSTALL_TIMEOUT_S)[0] == 0:
                return
            for name in os.listdir(LISTS):
                if name != "lock" and os.path.isfile(f"{LISTS}/{name}"):
                    self._system.remove(f"{LISTS}/{name}")
        self.refresh()
        self._run(install)

    def _mend(self) -> None:
        self._run(["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confold", "--configure", "-a"])
        self._run([*APT, "--fix-broken", "install"])

    def _keep_held(self) -> None:
        if self.hold:
            self._run(["dpkg", "--set-selections"], "".join(f"{name} hold\n" for name in self.hold))

    def _lists_are_fresh(self) -> bool:
        try:
            there = any("_Packages" in name for name in os.listdir(LISTS))
            return there and time.time() - os.stat(LISTS).st_mtime < LISTS_KEEP_S
        except FileNotFoundError:
            return False

    @contextmanager
    def _services_stay_stopped(self) -> Iterator[None]:
        """Let no package start its service, as long as this process lives: a run that is killed leaves no ban behind.

        By invoke-rc.d's interface a policy that ends with 101 forbids the action. A policy of someone else's stays.
        """
        ours = not self._system.exists(POLICY) or b"retailerp.estate" in self._system.read(POLICY)
        if ours:
            script = ["#!/bin/sh", "# retailerp.estate", f"kill -0 {os.getpid()} 2>/dev/null || exit 0", "exit 101", ""]
            self._system.write(POLICY, "\n".join(script).encode(), 0, 0, 0o755)
        try:
            yield
        finally:
            if ours:
                self._system.remove(POLICY)

    def _run(self, argv: list[str], stdin: str | None = None) -> str:
        code, out, err = self._system.run(argv, stdin, INSTALL_TIMEOUT_S)
        if code != 0:
            told = (err.strip() or out.strip())[-600:]
            command = " ".join(word for word in argv if word not in APT or word == "apt-get")
            raise EstateError(f"{command} ended with {code}: {told}")
        return out

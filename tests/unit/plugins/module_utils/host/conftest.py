# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in a directory: real files, and a systemd that remembers what each unit read when it was started."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.host.config_set import ConfigSet
from ansible_collections.retailerp.estate.plugins.module_utils.host.journal import Journal
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import ConfigSpec, FileSpec, UnitSpec
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

# systemctl for the tests: a unit "reads" the files under etc/ when started, restarted or reloaded, and refuses to
# start on a file that says "broken". The tests call it in this process, rollback.sh as a program: one text for both.
SYSTEMCTL = """
import json, pathlib


def systemctl(root, argv):
    store = root / "units.json"
    units = json.loads(store.read_text())
    words = [word for word in argv if not word.startswith("--")]
    verb, names = words[0], words[1:]
    if names and "-rollback-" in names[0]:
        verb = "timer"
    with open(root / "calls", "a") as log:
        log.write(" ".join(argv) + chr(10))
    if verb == "show":
        unit = units.get(names[-1])
        if unit is None:
            return 0, "LoadState=not-found", ""
        states = ("active", "running") if unit["active"] else ("inactive", "dead")
        enabled = "enabled" if unit["enabled"] else "disabled"
        return 0, "LoadState=loaded\\nActiveState=%s\\nSubState=%s\\nUnitFileState=%s" % (*states, enabled), ""
    for name in names if verb != "timer" else []:
        unit = units.get(name)
        if unit is None:
            return 5, "", "no such unit"
        if verb in ("start", "restart", "reload", "reload-or-restart"):
            seen = {str(p): p.read_text() for p in sorted((root / "etc").rglob("*")) if p.is_file()}
            if any("broken" in text for text in seen.values()):
                unit["active"] = unit["active"] and verb == "reload"
                store.write_text(json.dumps(units))
                return 1, "", "refusing broken configuration with password hunter2-secret"
            unit["active"], unit["read"] = True, seen
        elif verb == "stop":
            unit["active"] = False
        elif verb in ("enable", "disable"):
            unit["enabled"] = verb == "enable"
            unit["active"] = unit["active"] and "--now" not in argv
    store.write_text(json.dumps(units))
    return 0, "", ""
"""
PROGRAM = """#!{python} -IS
{systemctl}

import sys
code, out, err = systemctl(pathlib.Path({root!r}), sys.argv[1:])
print(out)
print(err, file=sys.stderr)
sys.exit(code)
"""
IN_PROCESS: dict = {}
exec(SYSTEMCTL, IN_PROCESS)


class Killed(BaseException):
    """The process dies here: nothing may catch it."""


class DirectoryHost(System):
    """System with a fake systemctl, accounts of its own, and a fuse that blows before a chosen write."""

    writes = ("write", "link", "rename", "remove", "make_directory", "make_private", "keep", "remove_tree", "run")

    def __init__(self, root: Path) -> None:
        super().__init__(mountinfo=str(root / "mountinfo"))
        self.root = root
        self.fuse: int | None = None
        self.steps = 0
        (root / "etc").mkdir()
        (root / "bin").mkdir()
        (root / "mountinfo").write_text("")
        program = root / "bin" / "systemctl"
        program.write_text(PROGRAM.format(python=sys.executable, systemctl=SYSTEMCTL, root=str(root)))
        program.chmod(0o755)
        (root / "bin" / "journalctl").write_text("#!/bin/sh\n")
        (root / "bin" / "journalctl").chmod(0o755)
        (root / "units" / "timers.target.wants").mkdir(parents=True)
        self.set_units({"app.service": {"active": True, "enabled": True, "read": {}}})
        for name in self.writes:
            setattr(self, name, self._fused(getattr(self, name)))

    def _fused(self, step):
        def fused(*args, **kwargs):
            reads_only = step.__name__ == "run" and args[0][:2] == ["systemctl", "show"]
            if not reads_only:
                if self.fuse is not None and self.steps >= self.fuse:
                    raise Killed
                self.steps += 1
            return step(*args, **kwargs)

        return fused

    def uid(self, name):
        """Only this process's user is there."""
        return os.getuid() if name == "root" else None

    def gid(self, name):
        """Only this process's group is there."""
        return os.getgid() if name == "root" else None

    def lock(self, path, wait_s=0):
        """No other process in these tests."""
        return

    def pause(self, seconds):
        """Time passes at once; a unit that is to die of its configuration does."""
        units = self.units()
        for unit in units.values():
            unit["active"] = unit["active"] and not any("dies" in text for text in unit["read"].values())
        self.set_units(units)

    def run(self, argv, stdin=None, timeout_s=10):
        """Programs, with the fake ones first."""
        if argv[0] == "systemctl":
            return IN_PROCESS["systemctl"](self.root, argv[1:])
        env = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, text=True, env=env, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return 124, "", "no end"
        return done.returncode, done.stdout, done.stderr

    def set_units(self, units: dict) -> None:
        """What systemd knows."""
        (self.root / "units.json").write_text(json.dumps(units))

    def units(self) -> dict:
        """What systemd knows."""
        return json.loads((self.root / "units.json").read_text())

    def calls(self) -> list[str]:
        """Every call of systemctl, in order."""
        calls = self.root / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def tree(self) -> dict[str, tuple]:
        """Everything under etc/: content or link target, and mode."""
        found = {}
        for path in sorted((self.root / "etc").rglob("*")):
            seen = path.lstat()
            what = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else None
            found[str(path.relative_to(self.root))] = (what, None if path.is_symlink() else stat.S_IMODE(seen.st_mode))
        return found


class Workshop:
    """Shorthand of the tests: a host, and sets converged on it as the runner does."""

    Killed = Killed

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        self.host = DirectoryHost(root)
        self.etc = root / "etc"

    def file(self, name: str, content: str = "", **options) -> FileSpec:
        """A file under etc/."""
        return FileSpec(str(self.etc / name), content=content.encode(), **options)

    def spec(self, *files: FileSpec, **options) -> ConfigSpec:
        """A set named "app" with the unit app.service."""
        return ConfigSpec("app", list(files), **{"units": [UnitSpec("app.service")], **options})

    def journal(self) -> Journal:
        """Where the set keeps its way back."""
        root = self.host.root
        return Journal(self.host, "app", str(root / "journal"), (os.getuid(), os.getgid()), str(root / "units"))

    def capability(self, spec: ConfigSpec, check_mode: bool = False) -> ConfigSet:
        """The set on this host."""
        return ConfigSet(spec, self.host, self.journal(), check_mode)

    def plan(self, spec: ConfigSpec) -> list[str]:
        """What check mode would report."""
        capability = self.capability(spec, check_mode=True)
        return [f"{change.action} {change.resource}" for change in capability.plan(capability.read())]

    def converge(self, spec: ConfigSpec) -> list[str]:
        """One run: what was changed. EstateError when it fails or does not reach the set."""
        capability = self.capability(spec)
        changes = capability.plan(capability.read())
        if changes:
            capability.apply(changes)
            left = capability.plan(capability.read())
            if left:
                raise EstateError(f"still to do: {left}")
        return [f"{change.action} {change.resource}" for change in changes]


@pytest.fixture
def new_workshop(tmp_path):
    """Makes fresh hosts, each by a name of its own."""
    return lambda name: Workshop(tmp_path / str(name))


@pytest.fixture
def workshop(new_workshop) -> Workshop:
    """A fresh host."""
    return new_workshop("host")

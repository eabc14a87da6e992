# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a configuration set is, and the changes that lead to it. Pure: no I/O, no Ansible."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

UNIT_DIRECTORIES = ("/etc/systemd/system/", "/etc/systemd/network/", "/usr/local/lib/systemd/system/")
RUNNING = ("active", "reloading", "refreshing", "activating")
ENABLED = ("enabled", "static", "indirect", "generated", "alias", "linked")


@dataclass(frozen=True)
class FileSpec:
    """One path as it has to be. state: file, directory, link (content is its target) or absent.

    validate: a command with %s for the candidate. exclusive: a directory in which no file may lie but the set's.
    """

    path: str
    state: str = "file"
    content: bytes = b""
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    secret: bool = False
    validate: str | None = None
    exclusive: bool = False


@dataclass(frozen=True)
class FileState:
    """One path as it is. kind: file, directory, link, mount (a bind mount over a file), other or absent."""

    kind: str = "absent"
    content: bytes = b""
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None


@dataclass(frozen=True)
class UnitSpec:
    """One systemd unit as it has to be: running and enabled; `action` is what a changed file means to it.

    With the action stop it has to be neither: what switched off leaves nothing behind.
    effect: a command that succeeds as long as what the unit did still holds, for a unit that does it once.
    """

    name: str
    action: str = "restart"
    enabled: bool = True
    effect: list[str] | None = None


@dataclass(frozen=True)
class UnitState:
    """One systemd unit as it is. `state` is systemd's ActiveState, `enabled` its UnitFileState ("" when unknown).

    undone: what its effect said, if what it did no longer holds though it counts as running; otherwise None.
    """

    exists: bool = False
    state: str = "inactive"
    sub: str = "dead"
    enabled: str = ""
    undone: str | None = None

    @classmethod
    def shown(cls, lines: str) -> UnitState:
        """From what `systemctl show` prints of one unit; one that is not there has the state of the defaults."""
        seen = dict(line.partition("=")[::2] for line in lines.splitlines())
        if seen.get("LoadState") in (None, "", "not-found"):
            return cls()
        return cls(True, seen.get("ActiveState", ""), seen.get("SubState", ""), seen.get("UnitFileState", ""))

    @property
    def running(self) -> bool:
        """Whether it runs or is on its way; a unit that waits to be started again after a crash does not."""
        return self.state in RUNNING and self.sub != "auto-restart"

    def describe(self) -> str:
        """The state in words."""
        if not self.exists:
            return "absent"
        undone = "" if self.undone is None else ", but undone" + f": {self.undone}" * bool(self.undone)
        return f"{self.state}, {self.enabled or 'not enabled'}{undone}"


@dataclass(frozen=True)
class ConfigSpec:
    """Files that change together, what is done about it, and how it is proven.

    commands: what puts files into effect that no unit reads, run when a file changed and when files are put back.
    checks: commands over the whole set, run with the files in place and before any unit is touched.
    probe: the command that must succeed within probe_timeout_s after the units were acted on.
    rollback_after_s: arm a timer that puts everything back unless the set is committed over a new connection.
    """

    name: str
    files: list[FileSpec] = field(default_factory=list)
    units: list[UnitSpec] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    checks: list[list[str]] = field(default_factory=list)
    probe: list[str] | None = None
    probe_stdin: str | None = None
    probe_timeout_s: float = 30
    rollback_after_s: int | None = None
    token: str | None = None


@dataclass(frozen=True)
class CurrentSet:
    """What was read: each path, each unit, numeric ids by name (None: no such account), and if a run was cut short."""

    files: dict[str, FileState]
    units: dict[str, UnitState]
    users: dict[str, int | None]
    groups: dict[str, int | None]
    interrupted: bool = False


def unit_name(name: str) -> str:
    """The full name of a unit: "redis-server" means the service."""
    return (
        name
        if name.rpartition(".")[2] in ("service", "timer", "socket", "path", "target", "mount")
        else f"{name}.service"
    )


def touches_units(paths: list[str]) -> bool:
    """Whether systemd has to read its units again after these paths changed."""
    return any(path.startswith(UNIT_DIRECTORIES) for path in paths)


def plan_set(spec: ConfigSpec, current: CurrentSet) -> list[Change]:
    """The changes from what was read to the set, files first, then units."""
    changes: list[Change] = []
    for wanted in [*missing_parents(spec, current), *spec.files]:
        changes += _plan_file(wanted, current)
    moved = bool(changes) or current.interrupted
    for unit in spec.units:
        changes += _plan_unit(unit, current.units.get(unit.name, UnitState()), moved, current.interrupted)
    if current.interrupted and not changes:
        changes.append(Change(f"configuration set {spec.name}", "run", "cut short by an earlier run", "finished"))
    return changes


def with_strays(spec: ConfigSpec, found: list[str]) -> ConfigSpec:
    """The set with the removal of what was found in its exclusive directories and is none of its own.

    Nobody knows what a stray file holds, so its content is told as little as a secret.
    """
    strays = sorted(set(found) - {wanted.path for wanted in spec.files})
    return replace(spec, files=[*spec.files, *(FileSpec(path, "absent", secret=True) for path in strays)])


def parents_of(spec: ConfigSpec) -> list[str]:
    """Every directory above a path of the set that the set does not name itself, outermost first."""
    named = {wanted.path for wanted in spec.files}
    parents: set[str] = set()
    for wanted in spec.files:
        parts = wanted.path.split("/")[1:-1] if wanted.state != "absent" else []
        parents.update("/" + "/".join(parts[: depth + 1]) for depth in range(len(parts)))
    return sorted(parents - named)


def missing_parents(spec: ConfigSpec, current: CurrentSet) -> list[FileSpec]:
    """Directories to be made so that the set's files have a place: root's, readable by all."""
    return [
        FileSpec(path, state="directory", mode=0o755)
        for path in parents_of(spec)
        if current.files.get(path, FileState()).kind == "absent"
    ]


def _plan_file(wanted: FileSpec, current: CurrentSet) -> list[Change]:
    seen = current.files.get(wanted.path, FileState())
    what = f"{'directory' if wanted.state == 'directory' else 'file'} {wanted.path}"
    _refuse_impossible(wanted, seen)
    if wanted.state == "absent":
        if seen.kind == "absent":
            return []
        return [Change(what, "delete", readable(seen.content), None, secret=wanted.secret, data=wanted)]
    after = _rights(wanted) if wanted.state == "directory" else readable(wanted.content)
    if seen.kind == "absent":
        return [Change(what, "create", None, after, secret=wanted.secret, data=wanted)]
    changes = []
    if wanted.state != "directory" and (seen.kind != wanted.state or seen.content != wanted.content):
        changes.append(Change(what, "update", readable(seen.content), after, secret=wanted.secret, data=wanted))
    rights = (current.users.get(wanted.owner), current.groups.get(wanted.group), wanted.mode)
    if wanted.state != "link" and rights != (seen.uid, seen.gid, seen.mode):
        changes.append(
            Change(f"owner and mode of {what}", "update", seen_rights(seen, current), _rights(wanted), data=wanted)
        )
    return changes


def _refuse_impossible(wanted: FileSpec, seen: FileState) -> None:
    """A kind that cannot be replaced by a rename without losing something is the operator's to clear away."""
    if seen.kind == "mount":
        raise EstateError(
            f"{wanted.path} is a bind mount of its own and cannot be replaced in one step; "
            "mount the directory it lies in instead, or leave this file to who mounts it. Nothing was changed."
        )
    expected = ("directory",) if wanted.state == "directory" else ("file", "link")
    if seen.kind not in (*expected, "absent"):
        raise EstateError(
            f"{wanted.path} is a {seen.kind}, not a {expected[0]}; move it away first. Nothing was changed."
        )


def _plan_unit(unit: UnitSpec, seen: UnitState, moved: bool, interrupted: bool) -> list[Change]:
    what = f"unit {unit.name}"
    changes = []
    if unit.action == "stop":
        if seen.exists and (seen.state != "inactive" or seen.enabled == "enabled"):
            changes.append(Change(what, "stop", seen.describe(), "stopped, not enabled", data=unit))
        return changes
    if not seen.running:
        changes.append(
            Change(what, "start", seen.describe(), "active, enabled" if unit.enabled else "active", data=unit)
        )
    elif seen.undone is not None:
        changes.append(Change(what, unit.action, seen.describe(), "in force", data=unit))
    elif moved and unit.action in ("restart", "reload"):
        why = "an earlier run was cut short" if interrupted else "files changed"
        changes.append(Change(what, unit.action, None, f"{unit.action}ed: {why}", data=unit))
    if seen.running and unit.enabled and seen.enabled not in ENABLED:
        changes.append(Change(what, "enable", seen.describe(), "active, enabled", data=unit))
    return changes


def controls_of(spec: ConfigSpec, current: CurrentSet) -> list[Control]:
    """Files as planned, and units running and enabled."""
    departed = sorted({wanted.path for wanted in spec.files if _plan_file(wanted, current)})
    controls = [
        Control.check(
            f"config.{spec.name}.files",
            f"Every file of {spec.name} is as planned",
            departed,
            [],
            "these paths differ; run again without check mode",
        ),
    ]
    if spec.units:
        idle = {
            unit.name: current.units.get(unit.name, UnitState()).describe()
            for unit in spec.units
            if _plan_unit(unit, current.units.get(unit.name, UnitState()), False, False)
        }
        controls.append(
            Control.check(f"config.{spec.name}.units", f"Every unit of {spec.name} is as planned", idle, {})
        )
    return controls


def readable(content: bytes) -> str:
    """The content for a diff; what is not text is told by size and digest."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return f"(binary, {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]})"


def _rights(wanted: FileSpec) -> str:
    return f"{wanted.owner}:{wanted.group} {wanted.mode:04o}"


def seen_rights(seen: FileState, current: CurrentSet) -> str:
    """Owner, group and mode as they are, by the names the set knows, otherwise by number."""
    owner = next((name for name, uid in current.users.items() if uid == seen.uid), str(seen.uid))
    group = next((name for name, gid in current.groups.items() if gid == seen.gid), str(seen.gid))
    return f"{owner}:{group} {seen.mode or 0:04o}"


def candidate_of(path: str) -> str:
    """Where the candidate lies until it takes the path: beside it, with a name that no conf.d pattern matches."""
    directory, _sep, name = path.rpartition("/")
    return f"{directory}/.estate-new.{name}"


def tail(text: str, secrets: list[str], lines: int = 6) -> str:
    """The last lines of a command's output, without any word that also stands in a secret."""
    words = {word for secret in secrets for word in _words(secret)}
    kept = [line.rstrip() for line in text.strip().splitlines() if line.strip()][-lines:]
    for word in sorted(words, key=len, reverse=True):
        kept = [line.replace(word, "(secret)") for line in kept]
    return " | ".join(kept)


def _words(secret: str) -> set[str]:
    """The pieces of a secret text worth hiding: whole lines, and words that are no path and no short option."""
    pieces: set[str] = set()
    for line in re.sub(r"[]=\"'<>,;(){}[]", " ", secret).splitlines():
        pieces.update(word for word in line.split() if len(word) >= 6 and not word.startswith("/"))
        pieces.update(part for word in line.split() for part in word.split(":") if len(part) >= 6 and "/" not in part)
    return pieces


def rollback_script(journal: str, manifest: dict[str, Any]) -> str:
    """The program that puts the host back. It needs /bin/sh and systemctl only, and may run any number of times.

    Units that did not run are stopped first (their files may vanish), then the files come back, then units that did
    run take the old configuration again, if they had been told of the new one.
    """
    quoted = shlex.quote(journal)
    lines = [
        "#!/bin/sh",
        "# Puts back what the configuration set found; made by retailerp.estate.config_set.",
        f"journal={quoted}",
        "failed=0",
        'try() { "$@" || { echo "failed: $*" >&2; failed=1; }; }',
        "main() {",
    ]
    acted: list[str] = []
    for unit in manifest["units"]:
        name = shlex.quote(unit["name"])
        if not unit["running"]:
            acted.append(f"systemctl stop {name} 2>/dev/null")
        if not unit["enabled"]:
            acted.append(f"systemctl disable --quiet {name} 2>/dev/null")
        elif unit["action"] == "stop":
            acted.append(f"systemctl enable --quiet {name} 2>/dev/null")
    lines += _when("acted", acted)
    for entry in reversed(manifest["files"]):
        lines += ["  " + line for line in _restore(entry)]
    if manifest["reload_systemd"]:
        lines.append("  try systemctl daemon-reload")
    placed = [f"try {shlex.join(command)} >/dev/null" for command in manifest["commands"]]
    lines += _when("placed", placed)
    acted = []
    for unit in manifest["units"]:
        if unit["running"] and unit["action"] != "start":
            verb, name = "reload-or-restart" if unit["action"] == "reload" else "restart", shlex.quote(unit["name"])
            acted += [f"systemctl reset-failed {name} 2>/dev/null", f"try systemctl {verb} {name}"]
    lines += _when("acted", acted)
    timer = manifest["timer"]
    lines += [
        "  [ $failed = 0 ] || exit 1",
        f"  systemctl stop {timer['unit']} 2>/dev/null",
        f"  rm -f {shlex.join(timer['files'])}",
        '  rm -rf "$journal"',
        "  exit 0",
        "}",
        "main",
    ]
    return "\n".join(lines) + "\n"


def _when(marker: str, commands: list[str]) -> list[str]:
    return [f'  if [ -e "$journal/{marker}" ]; then', *("    " + line for line in commands), "  fi"] if commands else []


def _restore(entry: dict[str, Any]) -> list[str]:
    """Shell lines that bring one path back to what the journal holds."""
    path, candidate = shlex.quote(entry["path"]), shlex.quote(candidate_of(entry["path"]))
    if entry["kind"] == "absent":
        if entry["state"] == "directory":
            return [f"if [ -d {path} ]; then rmdir {path} 2>/dev/null || true; fi"]
        return [f"try rm -f {candidate} {path}"]
    if entry["kind"] == "directory":
        return [f"try chown {entry['uid']}:{entry['gid']} {path}", f"try chmod {entry['mode']:04o} {path}"]
    return [f'try cp -a "$journal/originals/{entry["number"]}" {candidate}', f"try mv -fT {candidate} {path}"]

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of desired state that controls are made of: what holds, and the steps to it. Pure: no I/O, no Ansible.

A kind judges one control against what was seen. Steps that write files several controls share are in baseline_files.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host import baseline_files as own
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_accounts import PROPERTIES
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_model import Finding, Seen, Step, Wanted
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import FileState, UnitState
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

UNKEPT = "not kept over a restart"


class Kind:
    """What every kind has: the options it needs, what judges it, and the steps beside the files."""

    needed: tuple[str, ...] = ()

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """How the host stands to the control."""
        raise NotImplementedError

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """Steps beside the files that are planned for all controls together."""
        return []


class Sysctl(Kind):
    """A value of the kernel, alive and kept. `*` in the key stands for every interface."""

    needed = ("key", "value")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """A kernel that has no such value, or is another machine's, cannot hold it."""
        values = seen.sysctls.get(wanted["key"], {})
        expected = wanted["value"]
        if not values:
            return Finding(None, expected, False, "this kernel has no such setting")
        off = _off(wanted, seen)
        observed = sorted(off.values())[0] if off else sorted(values.values())[0]
        if off and own.machines(wanted, seen):
            return Finding(observed, expected, False, "the kernel is the machine's: this host is a container")
        if any(path in seen.read_only for path in off):
            return Finding(observed, expected, False, "the kernel lets nobody on this host set it")
        if own.missing_lines(wanted, seen):
            return Finding(f"{observed}, {UNKEPT}" if not off else observed, expected, False)
        return Finding(observed, expected, not off)

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """One write for each place that differs."""
        if Sysctl.judge(wanted, seen).cannot:
            return []
        return [
            Change(f"sysctl {path}", "update", value, wanted["value"], data=Step("sysctl", (path, wanted["value"])))
            for path, value in _off(wanted, seen).items()
        ]


def _off(wanted: Wanted, seen: Seen) -> dict[str, str]:
    good = {wanted["value"], *wanted.get("or", [])}
    return {path: value for path, value in seen.sysctls.get(wanted["key"], {}).items() if value not in good}


class KernelModule(Kind):
    """A kernel module that can neither be loaded nor is."""

    needed = ("module",)

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """In a container the rule is held, but modules are the machine's."""
        missing = own.missing_lines(wanted, seen)
        if seen.container:
            cannot = "" if missing else "kernel modules are the machine's: this host is a container"
            return Finding("may be loaded" if missing else "denied", "denied", not missing, cannot)
        loaded = wanted["module"].replace("-", "_") in seen.modules
        return Finding(
            "loaded" if loaded else "may be loaded" if missing else "denied", "denied", not (missing or loaded)
        )

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """Take it out of the kernel."""
        if seen.container or wanted["module"].replace("-", "_") not in seen.modules:
            return []
        return [
            _run(f"kernel module {wanted['module']}", "delete", "loaded", None, ["modprobe", "-r", wanted["module"]])
        ]


class Mount(Kind):
    """Options of a mount, alive and kept by a unit of ours, whoever mounts it."""

    needed = ("path", "options")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """What is no mount of its own has no options."""
        options, expected = seen.mounts.get(wanted["path"]), sorted(wanted["options"])
        if options is None:
            return Finding(None, expected, False, f"{wanted['path']} is no mount of its own on this host")
        observed = sorted(set(expected) & options)
        kept = not own.missing_lines(wanted, seen) and seen.units.get(own.MOUNTS_UNIT, UnitState()).enabled == "enabled"
        if observed == expected and not kept:
            return Finding([*observed, UNKEPT], expected, False)
        return Finding(observed, expected, observed == expected)

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """Remount, and let the unit do so at every boot."""
        options, path, changes = seen.mounts.get(wanted["path"]), wanted["path"], []
        if options is None:
            return []
        if not set(wanted["options"]) <= options:
            argv = ["mount", "-o", ",".join(["remount", *wanted["options"]]), path]
            before, after = ",".join(sorted(options)), ",".join(sorted(options | set(wanted["options"])))
            changes.append(_run(f"mount {path}", "update", before, after, argv))
        if seen.units.get(own.MOUNTS_UNIT, UnitState()).enabled != "enabled":
            argv = ["systemctl", "enable", "--quiet", own.MOUNTS_UNIT]
            changes.append(_run(f"unit {own.MOUNTS_UNIT}", "enable", None, "enabled", argv))
        return changes


def _others_may(wanted: Wanted, seen: Seen) -> Finding | None:
    """A file of ours whose owner or mode is not ours: programs such as sudo do not even read it."""
    state, mode = seen.files.get(wanted["path"], FileState()), own.mode_of(wanted)
    if state.kind != "file" or (state.uid, state.gid, state.mode) == (0, 0, mode):
        return None
    return Finding(_access(state), _access(FileState("file", b"", 0, 0, mode)), False)


class Line(Kind):
    """Lines in a file of our own, which is made of the lines of all controls that name it."""

    needed = ("path", "lines")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """Every line is there as it is, in a file nobody else can write."""
        missing = own.missing_lines(wanted, seen)
        there = [line for line in wanted["lines"] if line not in missing]
        return _others_may(wanted, seen) or Finding(there, list(wanted["lines"]), not missing)


class Text(Kind):
    """A whole file."""

    needed = ("path", "text")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """The content, to the byte, in a file nobody else can write."""
        state = seen.files.get(wanted["path"], FileState())
        observed = own.text_of(state) if state.kind == "file" else None
        return _others_may(wanted, seen) or Finding(observed, wanted["text"], observed == wanted["text"])


class Setting(Kind):
    """A value in a file that a package brought."""

    needed = ("path", "key", "value")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """The file gives the key one value, and this one."""
        state = seen.files.get(wanted["path"], FileState())
        if state.kind != "file":
            return Finding(None, wanted["value"], False, f"there is no {wanted['path']} on this host")
        values = own.setting_values(own.text_of(state), wanted["key"])
        observed = values[0] if len(values) == 1 else values or None
        return Finding(observed, wanted["value"], observed == wanted["value"])


class Path(Kind):
    """Owner and most generous mode of what a path or pattern names. Nothing is opened further.

    Made are only folders that a package would make with other rights once it comes (`make`): it takes what is there.
    """

    needed = ("path", "mode")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """What is not there needs no protection, and is told so."""
        found = seen.paths.get(wanted["path"], {})
        expected = f"{wanted.get('owner', 'any')}:{wanted.get('group', 'any')}, at most {wanted['mode']}"
        if not found:
            cannot = "" if wanted.get("make") else f"there is no {wanted['path']} on this host"
            return Finding(None, expected, False, cannot)
        off = [f"{path}: {_access(state)}" for path, state in found.items() if _tightened(wanted, state, seen)]
        return Finding(off or expected, expected, not off)

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """Take rights away, and give it to whom it belongs to."""
        changes, found = [], seen.paths.get(wanted["path"], {})
        if not found and wanted.get("make"):
            made = FileState("directory", b"", 0, 0, int(wanted["mode"], 8))
            step = Step("folder", (wanted["path"], 0, 0, made.mode))
            changes.append(Change(f"directory {wanted['path']}", "create", None, _access(made), data=step))
        for path, state in found.items():
            better = _tightened(wanted, state, seen)
            if better:
                step = Step("mode", (path, better.uid, better.gid, better.mode))
                changes.append(Change(f"access to {path}", "update", _access(state), _access(better), data=step))
        return changes


def groups_of(wanted: Wanted) -> list[str]:
    """The groups a path may have, the best one first; none where any will do."""
    return str(wanted["group"]).split("|") if wanted.get("group") else []


def _access(state: FileState) -> str:
    return f"{state.uid}:{state.gid} {state.mode or 0:04o}"


def _tightened(wanted: Wanted, state: FileState, seen: Seen) -> FileState | None:
    """The state with what is too much taken away; None when nothing is. The sticky bit only adds protection."""
    mode = (state.mode or 0) & (int(wanted["mode"], 8) | 0o1000)
    uid = seen.owners.get(wanted.get("owner"))
    groups = [seen.owner_groups.get(name) for name in groups_of(wanted)]
    known = [gid for gid in groups if gid is not None]
    gid = state.gid if state.gid in known or not known else known[0]
    better = FileState(state.kind, state.content, state.uid if uid is None else uid, gid, mode)
    return better if better != state else None


class Package(Kind):
    """A Debian package that is there, or is not."""

    needed = ("package", "state")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """Configuration that a removed package left behind does no harm."""
        there = [name for name in [wanted["package"], *wanted.get("or", [])] if seen.packages.installed(name)]
        observed = "present" if there else "absent"
        if not there and wanted.get("facility") in seen.lacking:
            return Finding(observed, wanted["state"], False, seen.lacking[wanted["facility"]])
        return Finding(observed, wanted["state"], observed == wanted["state"])

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """Install, or remove: a package that others need is refused when it comes to it."""
        name = wanted["package"]
        finding = Package.judge(wanted, seen)
        if finding.holds or finding.cannot:
            return []
        if wanted["state"] == "present":
            return [Change(f"package {name}", "create", None, "installed", data=Step("package", (name,)))]
        return [Change(f"package {name}", "delete", "installed", None, data=Step("purge", (name,)))]


class Unit(Kind):
    """A unit of systemd: running and enabled, neither of both, or masked."""

    needed = ("unit", "state")

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """A unit whose own conditions keep it from running, is enabled and left out by systemd."""
        unit, state = seen.units.get(wanted["unit"], UnitState()), wanted["state"]
        if state == "masked":
            return Finding(unit.enabled or "absent", state, unit.enabled in ("masked", "masked-runtime"))
        if state == "off":
            off = not unit.running and unit.enabled not in ("enabled", "linked")
            return Finding("off" if off else unit.describe(), state, off)
        others = [seen.units.get(name, UnitState()) for name in wanted.get("or", [])]
        if any(other.running for other in others):
            return Finding("running", "running", True)
        if wanted.get("facility") in seen.lacking:
            return Finding(unit.describe(), "running", False, seen.lacking[wanted["facility"]])
        enabled = unit.enabled in ("enabled", "static", "alias", "indirect", "generated")
        if wanted["unit"] in seen.skipped and enabled and not unit.running:
            return Finding(
                unit.describe(), "running", False, "by its own conditions systemd leaves it out on this host"
            )
        return Finding("running" if unit.running and enabled else unit.describe(), "running", unit.running and enabled)

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """One call of systemctl."""
        finding = Unit.judge(wanted, seen)
        if finding.holds or finding.cannot:
            return []
        verbs = {"masked": ["mask"], "off": ["disable", "--quiet"], "running": ["enable", "--quiet"]}[wanted["state"]]
        argv = ["systemctl", *verbs, "--now", wanted["unit"]]
        return [_run(f"unit {wanted['unit']}", "update", finding.observed, wanted["state"], argv)]


class Account(Kind):
    """A property of all accounts together, such as that no other than root is root."""

    needed = ("property",)
    LEFT_ALONE = "see whose it is; what cannot be decided by rule is left alone"

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """The names of those that do not have the property."""
        offences = PROPERTIES[wanted["property"]](wanted, seen.accounts)
        advice = "" if all(offence.mend for offence in offences) else Account.LEFT_ALONE
        return Finding([offence.name for offence in offences], [], not offences, advice=advice)

    @staticmethod
    def changes(wanted: Wanted, seen: Seen) -> list[Change]:
        """What can be mended without deciding anything for the account's owner."""
        offences = PROPERTIES[wanted["property"]](wanted, seen.accounts)
        return [
            _run(f"account {offence.name}", "update", offence.observed, " ".join(offence.mend), offence.mend)
            for offence in offences
            if offence.mend
        ]


class Sshd(Kind):
    """What sshd goes by. Only told: the SSH configuration set writes it, behind its timed rollback."""

    needed = ("key", "value")
    WRITER = "the set `access` of the role docker_host puts it back"

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """sshd's own word."""
        if not seen.sshd:
            return Finding(None, wanted["value"], False, "there is no SSH server on this host")
        observed = seen.sshd.get(wanted["key"])
        return Finding(observed, wanted["value"], observed == wanted["value"], advice=Sshd.WRITER)


class Daemon(Kind):
    """A value of the container engine's configuration. Only told: the configuration set `docker` writes it."""

    needed = ("key", "value")
    WRITER = "the set `docker` of the role docker_host puts it back"
    FILE = "/etc/docker/daemon.json"

    @staticmethod
    def judge(wanted: Wanted, seen: Seen) -> Finding:
        """The file's word; without a file the engine goes by its defaults, which are None here."""
        observed: Any = None
        try:
            observed = json.loads(own.text_of(seen.files.get(Daemon.FILE, FileState())) or "{}")
        except ValueError:
            return Finding("not JSON", wanted["value"], False, advice=Daemon.WRITER)
        for name in wanted["key"].split("."):
            observed = observed.get(name) if isinstance(observed, dict) else None
        return Finding(observed, wanted["value"], observed == wanted["value"], advice=Daemon.WRITER)


def _run(resource: str, action: str, before: Any, after: Any, argv: list[str]) -> Change:
    return Change(resource, action, before, after, data=Step("command", (argv,)))


KINDS: dict[str, type[Kind]] = {
    "sysctl": Sysctl,
    "kernel_module": KernelModule,
    "mount": Mount,
    "line": Line,
    "text": Text,
    "setting": Setting,
    "path": Path,
    "package": Package,
    "unit": Unit,
    "account": Account,
    "sshd": Sshd,
    "daemon": Daemon,
}

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory for the baseline: what a plan changes of it, and how each kind of control is broken on it."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import yaml

import ansible_collections.retailerp.estate.plugins.module_utils.result as anchor
from ansible_collections.retailerp.estate.plugins.module_utils.host import baseline_files as own
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_kinds import Daemon
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_model import Accounts, Person, Seen, Wanted
from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import Seen as PackagesSeen
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import FileState, UnitState
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

FILES = sorted((Path(anchor.__file__).parents[2] / "roles/docker_host/files/baseline").glob("*.yml"))
DATA = [control for path in FILES for control in yaml.safe_load(path.read_text(encoding="utf-8"))]
ON, OFF = UnitState(True, "active", "running", "enabled"), UnitState(True, "inactive", "dead", "disabled")
STRANGERS = {
    "only_root_is_root": Person("toor", 0, 1000, "/", "/usr/sbin/nologin"),
    "root_group_is_roots": Person("wheel", 3000, 0, "/", "/usr/sbin/nologin"),
    "passwords_are_shadowed": Person("old", 3001, 1000, "/", "/bin/bash", "$y$hash"),
    "no_empty_password": Person("open", 3002, 1000, "/", "/bin/bash", "x", ""),
    "services_have_no_shell": Person("daemon2", 300, 1000, "/", "/bin/bash"),
    "without_shell_is_locked": Person("guessed", 301, 1000, "/", "/usr/sbin/nologin", "x", "$y$hash"),
    "unique_numbers": Person("second", 1000, 1000, "/", "/bin/bash"),
    "unique_names": Person("ansible", 3003, 1000, "/", "/bin/bash"),
    "groups_exist": Person("orphan", 3004, 4999, "/", "/bin/bash"),
    "shadow_group_is_empty": Person("reader", 3005, 42, "/", "/bin/bash"),
    "password_changed_in_the_past": Person("late", 3006, 1000, "/", "/bin/bash", "x", "!", 30000),
}
GROUPS = {
    "one_group_zero": ("second", 0, []),
    "unique_group_numbers": ("more", 42, []),
    "unique_group_names": ("users", 7, []),
}


def bare(wanted: list[Wanted], container: bool = False) -> Seen:
    """A host as it is rented: all paths and values are there, none as the baseline wants it."""
    of = {kind: [one for one in wanted if one.kind == kind] for kind in {one.kind for one in wanted}}
    paths = {one["path"]: {one["path"].replace("*", "x"): FileState("file", b"", 7, 7, 0o777)} for one in of["path"]}
    people = [Person("root", 0, 0, "/root", "/bin/bash"), Person("ansible", 1000, 1000, "/home/ansible", "/bin/bash")]
    return Seen(
        container=container,
        today="2026-11-28",
        sysctls={
            one["key"]: {f"/proc/sys/{one['key'].replace('.', '/').replace('*', 'all')}": "7"} for one in of["sysctl"]
        },
        modules={one["module"].replace("-", "_") for one in of["kernel_module"]},
        mounts={one["path"]: {"rw", "relatime"} for one in of["mount"]},
        files={one["path"]: FileState("file", b"# A package's\n", 0, 0, 0o644) for one in of["setting"]},
        paths=paths,
        owners={"root": 0},
        owner_groups={"root": 0, "shadow": 42, "docker": 43, "adm": 4},
        packages=PackagesSeen(
            {one["package"]: ("install", "installed") for one in of["package"] if one["state"] == "absent"}
        ),
        units={one["unit"]: ON if one["state"] == "off" else OFF for one in of["unit"]},
        accounts=Accounts(people, [("root", 0, []), ("shadow", 42, []), ("users", 1000, [])], 1000, 20000),
        sshd={one["key"]: one["value"] for one in of["sshd"]},
        lacking={"audit": "no kernel of its own"} if container else {},
    )


def after(seen: Seen, changes: list[Change]) -> Seen:
    """The host when every step was taken; an order that matters shows in what is left to plan."""
    seen = copy.deepcopy(seen)
    for change in changes:
        verb, arguments = change.data.verb, change.data.arguments
        if verb in ("command", "late"):
            seen = _commanded(seen, *arguments)
        elif verb == "write":
            path, content, (uid, gid, mode), _check = arguments
            seen.files[path] = FileState("file", content, uid, gid, mode)
        elif verb == "remove":
            seen.files.pop(arguments[0])
        elif verb == "mode":
            path, uid, gid, mode = arguments
            for found in seen.paths.values():
                if path in found:
                    found[path] = FileState("file", b"", uid, gid, mode)
        elif verb == "folder":
            path, uid, gid, mode = arguments
            seen.paths[path] = {path: FileState("directory", b"", uid, gid, mode)}
        elif verb == "sysctl":
            for values in seen.sysctls.values():
                if arguments[0] in values:
                    values[arguments[0]] = arguments[1]
        elif verb == "package":
            seen.packages.packages[arguments[0]] = ("install", "installed")
        else:
            assert verb == "purge"
            seen.packages.packages.pop(arguments[0])
    return replace(seen, owed=[])


def _commanded(seen: Seen, argv: list[str]) -> Seen:
    if argv[:2] == ["mount", "-o"]:
        seen.mounts[argv[3]] |= set(argv[2].split(",")) - {"remount"}
    elif argv[:2] == ["modprobe", "-r"]:
        seen.modules.discard(argv[2].replace("-", "_"))
    elif argv[0] == "systemctl" and argv[1] in ("enable", "disable", "mask"):
        seen.units[argv[-1]] = {"enable": ON, "disable": OFF, "mask": replace(OFF, enabled="masked")}[argv[1]]
    elif argv[0] in ("usermod", "pwconv"):
        seen = replace(
            seen, accounts=replace(seen.accounts, people=[_mended(one, argv) for one in seen.accounts.people])
        )
    return seen


def _mended(one: Person, argv: list[str]) -> Person:
    if argv[0] == "pwconv":
        return replace(one, placeholder="x")
    if one.name != argv[-1]:
        return one
    return replace(one, password=f"!{one.password}") if argv[1] == "--lock" else replace(one, shell=argv[2])


def broken(seen: Seen, wanted: Wanted) -> Seen:
    """The host with one control broken, by its kind."""
    seen = copy.deepcopy(seen)
    return _BREAK[wanted.kind](seen, wanted) or seen


def _sysctl(seen, wanted):
    for path in seen.sysctls[wanted["key"]]:
        seen.sysctls[wanted["key"]][path] = "7"


def _lines(seen, wanted):
    path, lines = own.part_of(wanted, seen)
    kept = [line for line in own.lines_of(seen.files[path]) if line not in lines]
    seen.files[path] = replace(seen.files[path], content=("\n".join(kept) + "\n").encode())


def _mount(seen, wanted):
    seen.mounts[wanted["path"]].discard(wanted["options"][0])


def _text(seen, wanted):
    seen.files[wanted["path"]] = FileState()


def _setting(seen, wanted):
    text = own.with_setting(own.text_of(seen.files[wanted["path"]]), wanted["key"], "wrong", " ")
    seen.files[wanted["path"]] = replace(seen.files[wanted["path"]], content=text.encode())


def _path(seen, wanted):
    for path, state in seen.paths[wanted["path"]].items():
        seen.paths[wanted["path"]][path] = replace(state, mode=0o777)


def _package(seen, wanted):
    if wanted["state"] == "present":
        seen.packages.packages.pop(wanted["package"])
    else:
        seen.packages.packages[wanted["package"]] = ("install", "installed")


def _unit(seen, wanted):
    seen.units[wanted["unit"]] = ON if wanted["state"] == "off" else OFF


def _account(seen, wanted):
    people, groups = list(seen.accounts.people), list(seen.accounts.groups)
    if wanted["property"] in STRANGERS:
        people.append(STRANGERS[wanted["property"]])
    else:
        groups.append(GROUPS[wanted["property"]])
    return replace(seen, accounts=replace(seen.accounts, people=people, groups=groups))


def _sshd(seen, wanted):
    seen.sshd[wanted["key"]] = "wrong"


def _daemon(seen, wanted):
    daemon = json.loads(seen.files[Daemon.FILE].content)
    *outer, last = wanted["key"].split(".")
    here = daemon
    for name in outer:
        here = here.setdefault(name, {})
    here[last] = "wrong"
    seen.files[Daemon.FILE] = FileState("file", json.dumps(daemon).encode(), 0, 0, 0o644)


_BREAK = {
    "sysctl": _sysctl,
    "kernel_module": _lines,
    "mount": _mount,
    "line": _lines,
    "text": _text,
    "setting": _setting,
    "path": _path,
    "package": _package,
    "unit": _unit,
    "account": _account,
    "sshd": _sshd,
    "daemon": _daemon,
}

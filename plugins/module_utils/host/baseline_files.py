# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that controls write: whole files of our own, made of a line or two a control, and settings in others'. Pure."""

from __future__ import annotations

import re

from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_model import Seen, Step, Wanted
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import FileState
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

HEADER = "# Baseline of the estate: retailerp.estate puts this file back.\n"
SYSCTL = "/etc/sysctl.d/zz-estate-baseline.conf"
MODPROBE = "/etc/modprobe.d/estate-baseline.conf"
MOUNTS_UNIT = "estate-mounts.service"
MOUNTS = f"/etc/systemd/system/{MOUNTS_UNIT}"
MOUNTS_TOP = """[Unit]
Description=Mount options of the estate's baseline
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
"""
MOUNTS_END = "\n[Install]\nWantedBy=sysinit.target\n"


def machines(wanted: Wanted, seen: Seen) -> bool:
    """Whether a sysctl belongs to the machine that this container shares its kernel with: not ours to set."""
    return seen.container and not wanted["key"].startswith("net.")


def part_of(wanted: Wanted, seen: Seen) -> tuple[str, list[str]] | None:
    """The file of our own that a control has lines in, and these lines."""
    if wanted.kind == "sysctl":
        there = bool(seen.sysctls.get(wanted["key"])) and not machines(wanted, seen)
        return (SYSCTL, [f"{wanted['key']} = {wanted['value']}"] if there else [])
    if wanted.kind == "kernel_module":
        return (MODPROBE, [f"install {wanted['module']} /bin/false", f"blacklist {wanted['module']}"])
    if wanted.kind == "mount":
        there = wanted["path"] in seen.mounts
        options = ",".join(["remount", *wanted["options"]])
        return (MOUNTS, [f"ExecStart=/usr/bin/mount -o {options} {wanted['path']}"] if there else [])
    if wanted.kind == "line":
        return (wanted["path"], list(wanted["lines"]))
    return None


def lines_of(state: FileState) -> list[str]:
    """The lines of a file; none of what is not there."""
    return state.content.decode("utf-8", "replace").splitlines()


def missing_lines(wanted: Wanted, seen: Seen) -> list[str]:
    """Those lines of a control that are not in our file."""
    path, lines = part_of(wanted, seen) or ("", [])
    there = set(lines_of(seen.files.get(path, FileState())))
    return [line for line in lines if line not in there]


def content(path: str, wanted: list[Wanted], seen: Seen) -> str:
    """A file of our own, whole; empty when no control has a line in it."""
    sections: dict[str, list[str]] = {}
    for one in wanted:
        part = part_of(one, seen)
        if part and part[0] == path:
            sections.setdefault(one.get("section", ""), []).extend(part[1])
    if not any(sections.values()):
        return ""
    body = "".join(
        (f"[{name}]\n" if name else "") + "".join(f"{line}\n" for line in dict.fromkeys(lines))
        for name, lines in sections.items()
    )
    return HEADER + (MOUNTS_TOP + body + MOUNTS_END if path == MOUNTS else body)


def plan(in_force: list[Wanted], known: list[Wanted], seen: Seen) -> list[Change]:
    """Every file as it has to be. known: also what is exempted, so that a file whose last line went, goes too."""
    changes = []
    for path in dict.fromkeys(part[0] for one in known if (part := part_of(one, seen))):
        parts = [one for one in in_force if one.kind == "line" and one["path"] == path]
        changes += _file(path, content(path, in_force, seen), parts[0] if parts else None, seen)
    for one in in_force:
        if one.kind == "text":
            changes += _file(one["path"], one["text"], one, seen)
    edited: dict[str, str] = {}
    for one in in_force:
        if one.kind == "setting" and seen.files.get(one["path"], FileState()).kind == "file":
            before = edited.get(one["path"], text_of(seen.files[one["path"]]))
            edited[one["path"]] = with_setting(before, one["key"], one["value"], one.get("separator", " "))
    for path, text in edited.items():
        state = seen.files[path]
        if text != text_of(state):
            step = Step("write", (path, text.encode(), (state.uid or 0, state.gid or 0, state.mode or 0o644), None))
            changes.append(Change(f"file {path}", "update", text_of(state), text, data=step))
    return changes


def text_of(state: FileState) -> str:
    """A file's content as text."""
    return state.content.decode("utf-8", "replace")


def mode_of(wanted: Wanted) -> int:
    """The mode of a file of our own that a control names."""
    return int(wanted.get("mode", "0644"), 8)


def _file(path: str, text: str, first: Wanted | None, seen: Seen) -> list[Change]:
    """A whole file. first: a control that has a part in it and says mode and check, the same as the others do."""
    mode, check = (mode_of(first), first.get("check")) if first else (0o644, None)
    state = seen.files.get(path, FileState())
    before = text_of(state) if state.kind == "file" else None
    if not text:
        gone = Step("remove", (path,))
        return [Change(f"file {path}", "delete", before, None, data=gone)] if state.kind == "file" else []
    if (before, state.uid, state.gid, state.mode) == (text, 0, 0, mode):
        return []
    action = "create" if state.kind == "absent" else "update"
    if before == text:
        before, shown = f"owner {state.uid}:{state.gid}, mode {state.mode:04o}", f"owner 0:0, mode {mode:04o}"
    else:
        shown = text
    step = Step("write", (path, text.encode(), (0, 0, mode), check))
    return [Change(f"file {path}", action, before, shown, data=step)]


def _is_setting(line: str, key: str) -> str | None:
    """The value of a line that sets the key; None for any other. Keys and values part at blanks or `=`."""
    found = re.fullmatch(rf"\s*{re.escape(key)}(?:\s*=\s*|\s+)(.*?)\s*", line)
    return found.group(1) if found else None


def setting_values(text: str, key: str) -> list[str]:
    """Every value a file gives a key, in order."""
    return [value for line in text.splitlines() if (value := _is_setting(line, key)) is not None]


def with_setting(text: str, key: str, value: str, separator: str) -> str:
    """The file with exactly one line that sets the key: where the first one was, or at its end."""
    if setting_values(text, key) == [value]:
        return text
    result, done = [], False
    for line in text.splitlines():
        if _is_setting(line, key) is None:
            result.append(line)
        elif not done:
            result.append(f"{key}{separator}{value}")
            done = True
    return "\n".join(result if done else [*result, f"{key}{separator}{value}"]) + "\n"


def commands(in_force: list[Wanted], written: set, seen: Seen) -> list[list[str]]:
    """What has to run because a file was written that nobody reads by itself; nothing where the facility lacks."""
    result: list[list[str]] = []
    for one in in_force:
        part = part_of(one, seen)
        path = part[0] if part else one.get("path")
        if one.get("run") and path in written and one.get("facility") not in seen.lacking and one["run"] not in result:
            result.append(one["run"])
    if MOUNTS in written:
        result.append(["systemctl", "daemon-reload"])
    return result

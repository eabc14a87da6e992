# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what a host says of itself against what was planned for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

#: Releases the roles are tested on.
RELEASES = {"debian": ("12", "13")}
#: The kernel keeps a part of what a machine is sold with.
MEMORY_TOLERANCE = 0.93
#: Tokens and certificates are judged by the clock; identity providers allow minutes, replication logs less.
CLOCK_TOLERANCE_S = 30
#: Free space (MiB) under /var: images and filestore, databases, logs.
DISK_MB = {"edge": 2048, "app": 6144, "db": 2048, "cache": 1024, "etcd": 1024, "ops": 2048}


def controls(state: Mapping[str, Any], planned: Mapping[str, Any]) -> list:
    """One Control for each thing a host must be before it is changed.

    state: what the module `preflight` returned, with `clock_offset_s` (host minus controller, seconds) added.
    planned: the host's part of the plan.
    """
    release = f"{state['distribution']} {state['release']}"
    supported = str(state["release"]) in RELEASES.get(state["distribution"], ())
    known = ", ".join(f"{name} {number}" for name, numbers in RELEASES.items() for number in numbers)
    need = sum(DISK_MB[tier] for tier in planned["tiers"])
    memory, offset = state["memory_mb"], round(state["clock_offset_s"])
    rules = [
        ("root", "Tasks run as root", state["uid"] == 0, f"uid {state['uid']}", "uid 0",
         "let the login user become root (sudo without a password, or --ask-become-pass)"),
        ("systemd", "The host runs systemd", state["systemd"], state["init"], "systemd",
         "services are units of systemd; use a host that boots with it"),
        ("release", "The release is supported", supported, release, known, f"use one of: {known}"),
        ("memory", "The memory declared is there", memory >= planned["memory_mb"] * MEMORY_TOLERANCE,
         f"{memory} MiB", f"{planned['memory_mb']} MiB", f"set estate_memory_mb to at most {memory}"),
        ("cpus", "The processors declared are there", state["cpus"] >= planned["cpus"],
         f"{state['cpus']}", f"{planned['cpus']}", f"set estate_cpus to {state['cpus']}"),
        ("disk", "There is free space under /var", state["free_mb"] >= need,
         f"{state['free_mb']} MiB", f"{need} MiB", "free space, or give the host a larger disk"),
        ("clock", "The clock agrees with the controller's", abs(offset) <= CLOCK_TOLERANCE_S,
         f"{offset:+d} s", f"within {CLOCK_TOLERANCE_S} s", "set it, and let systemd-timesyncd or chrony keep it"),
    ]  # fmt: skip
    here = state["addresses"]
    for key in ("address", "public_address"):
        if planned[key]:
            title, hint = f"The {key.replace('_', ' ')} is the host's own", f"set estate_{key} to one of the host's own"
            rules.append((key, title, planned[key] in here, ", ".join(here) or "none", planned[key], hint))
    return [
        Control(f"preflight.{key}", title, "pass" if holds else "fail", observed, expected, "" if holds else hint)
        for key, title, holds, observed, expected, hint in rules
    ]


def unreadable(reason: str) -> Control:
    """A host that answered, but could not say what it is: no Python, no root."""
    hint = "install it (apt-get install python3)" if "interpreter" in reason else "repair the login and run again"
    return Control("preflight.answer", "The host can be examined", "fail", reason, "an answer", hint)


def line(control: Control) -> str:
    """A failed control in one line."""
    key = control.id.split(".", 1)[1]
    return f"{key}: is {control.observed}, planned {control.expected}; {control.reason}"

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one loop of every capability module: read, plan, apply, verify. The only place where errors become fail_json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE, System
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError, diff_of


class Capability(Protocol):
    """What a module hands to run(): `read` does I/O and changes nothing, `plan` is pure, `apply` carries it out."""

    def read(self) -> Any:
        """The current state of the host, whatever is there: a bare host is a state too."""

    def plan(self, current: Any) -> list[Change]:
        """The changes that lead from the current state to the desired one; empty when it holds."""

    def apply(self, changes: list[Change]) -> None:
        """Carry the changes out, in order, leaving what worked before when one fails."""

    def controls(self, current: Any) -> list[Control]:
        """What must hold, judged on a state that was read."""


class Reading:
    """The half of a capability that only reads: there is nothing to do, ever."""

    def plan(self, current: Any) -> list[Change]:
        """Nothing."""
        return []

    def apply(self, changes: list[Change]) -> None:
        """Never called."""


def run(module: Any, capability: Capability, lock: str | None = None, **extra: Any) -> None:
    """Converge one capability and leave the module.

    In check mode nothing is applied and the controls judge the present state. Otherwise the state is read again after
    the changes and must plan to nothing: what the module does not reach in one run is an error, not a second change.
    lock: a name on the host under which one run at a time changes anything; a second one waits, then is refused.
    `extra` is returned as it is.
    """
    changes: list[Change] = []
    try:
        _held = System().lock(f"{STATE}/{lock}.lock") if lock and not module.check_mode else None
        current = capability.read()
        changes = capability.plan(current)
        if changes and not module.check_mode:
            capability.apply(changes)
            current = capability.read()
            left = capability.plan(current)
            if left:
                what = "; ".join(f"{change.action} {change.resource}" for change in left)
                raise EstateError(f"applied, but still to do: {what}")
        controls = capability.controls(current)
    except (EstateError, OSError) as err:
        _fail(module, err, changes=[change.report() for change in changes])
        return
    module.exit_json(
        changed=bool(changes),
        changes=[change.report() for change in changes],
        controls=[control.report() for control in controls],
        diff=diff_of(changes),
        **extra,
    )


def run_holding(module: Any, lock: str, make: Callable[[int | None], tuple[Capability, dict[str, Any]]]) -> None:
    """run() for a capability whose programs hold the lock, too: one that outlives a killed run keeps the next waiting.

    make: the capability and what is returned as it is, from the lock's descriptor; in check mode there is no lock.
    """
    try:
        held = None if module.check_mode else System().lock(f"{STATE}/{lock}.lock")
        capability, extra = make(held.fileno() if held else None)
    except (EstateError, OSError) as err:
        _fail(module, err)
        return
    run(module, capability, **extra)


def _fail(module: Any, err: EstateError | OSError, **known: Any) -> None:
    """Leave the module with a refusal of ours, or what a full, broken or read-only disk says: str() names the file."""
    if isinstance(err, EstateError):
        module.fail_json(msg=str(err), **known, **err.details)
    else:
        module.fail_json(msg=f"this host does not do as asked: {err}", **known)

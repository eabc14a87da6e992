# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's second login: the same rights by another password, so that one can change while the other is used. Pure.

It is a member of its role and takes that role at once, so that what it makes is the role's; resetting a session, as
pools do, takes it again. What a client that gives it up makes is the login's, and becomes the role's at the end.
"""

from __future__ import annotations

from collections import Counter

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    Current,
    Desired,
    Role,
    Statement,
    ident,
    literal,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError


def of(role: Role, name: str, password: str) -> Role:
    """The second login of a role: what the role is given by membership or by setting, it has too."""
    return Role(name, password, member_of=(role.name,), settings={**role.settings, "role": role.name})


def in_use(current: Current, desired: Desired) -> dict[str, tuple[str, ...]]:
    """Second logins that are to be dropped and are still used: name → where from, an address for each session."""
    if current.standby or not desired.drop:
        return {}
    return {
        name: current.use[name].sessions
        for name in desired.left_over()
        if name in current.use and current.use[name].sessions
    }


def drops(current: Current, desired: Desired) -> list[Change]:
    """Drop what is left over, all of it or, while one of them is used, nothing. Raises EstateError then."""
    busy = in_use(current, desired)
    if busy:
        raise EstateError(_refusal(busy, desired))
    changes = []
    for name, role in sorted(desired.left_over().items()):
        if not desired.drop or name not in current.roles:
            continue
        for database in current.use[name].owns_in:
            statement = Statement((f"REASSIGN OWNED BY {ident(name)} TO {ident(role)}",), database)
            resource = f"what {name} made in database {database}"
            changes.append(Change(resource, "update", f"owner {name}", f"owner {role}", data=statement))
        # Whoever came since the sessions were read keeps the login.
        sql = (
            f"DO $estate$ BEGIN IF EXISTS (SELECT FROM pg_stat_activity WHERE usename = {literal(name)}) THEN "
            f"RAISE 'it was logged in again just now; run this again'; END IF; DROP ROLE {ident(name)}; END $estate$"
        )
        before = current.roles[name].attributes
        changes.append(Change(f"role {name}", "delete", before, None, data=Statement((sql,))))
    return changes


def left(current: Current, desired: Desired) -> Control:
    """Whether a rotation was begun and not ended."""
    found = sorted(name for name in desired.left_over() if name in current.roles)
    title = "No second login is left over from a rotation of passwords"
    reason = "playbook rotate_secrets goes on where the last one stopped, and drops these"
    return Control.check("postgresql.access.rotation", title, found, [], reason)


def _refusal(busy: dict[str, tuple[str, ...]], desired: Desired) -> str:
    said = []
    for name, sessions in sorted(busy.items()):
        where = ", ".join(f"{count} from {address}" for address, count in sorted(Counter(sessions).items()))
        said.append(f"{name} has {len(sessions)} session{'s' if len(sessions) > 1 else ''} ({where})")
    roles = ", ".join(sorted(desired.second[name] for name in busy))
    return (
        f"second logins are still used, none was dropped: {'; '.join(said)}. Both passwords are the same by now: "
        f"let these clients log in as {roles}, or end them (pg_terminate_backend); then run rotate_secrets again"
    )

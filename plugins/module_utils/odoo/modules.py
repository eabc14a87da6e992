# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database of Odoo must hold before anybody may reach it, and what leads there. Pure: no I/O, no Ansible."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.conf import matches
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

# The account of base.user_admin belongs to the estate; who wants a name of their own signs in with one of their own.
LOGIN = "admin"
PENDING = ("to install", "to upgrade", "to remove")


@dataclass(frozen=True)
class Wanted:
    """modules: names, installed with what they depend on; language: a code such as fr_FR; url: the public address."""

    modules: list[str]
    language: str
    url: str
    administrator_password: str

    @property
    def parameters(self) -> dict[str, str]:
        """System parameters: without the freeze, the next administrator to sign in rewrites the address."""
        return {"web.base.url": self.url, "web.base.url.freeze": "True"}


@dataclass(frozen=True)
class Found:
    """What was read.

    reachable: whether there is a database to ask; modules: name → state, those that are or will be something;
    administrator: login and password hash of the first user, None before there is one; overdue: scheduled jobs that
    should have run an hour ago; rights: what the role may do beyond its own data; tls: whether the connection is.
    """

    reachable: bool = True
    modules: dict[str, str] = field(default_factory=dict)
    administrator: tuple[str, str | None] | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    languages: frozenset[str] = frozenset()
    overdue: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    tls: bool = True


@dataclass(frozen=True)
class Step:
    """What apply() does. kind: install, upgrade, language, password, login or parameter."""

    kind: str
    name: str
    value: str = ""


def plan(wanted: Wanted, found: Found) -> list[Change]:
    """Modules first: whatever else is set lives in their tables."""
    removed = sorted(name for name, state in found.modules.items() if state == "to remove")
    if removed:
        raise EstateError(
            f"marked for removal in Odoo: {', '.join(removed)}. To go on would drop their data: "
            "cancel the removal under Apps, or carry it out there, then run again"
        )
    changes = []
    for name in wanted.modules:
        state = found.modules.get(name)
        if state != "installed" and state not in PENDING:
            changes.append(Change(f"Odoo module {name}", "create", state, "installed", data=Step("install", name)))
    for name, state in sorted(found.modules.items()):
        if state in PENDING:
            kind = "install" if state == "to install" else "upgrade"
            changes.append(Change(f"Odoo module {name}", "update", state, "done", data=Step(kind, name)))
    if wanted.language not in found.languages:
        what = f"language {wanted.language}"
        changes.append(Change(what, "create", None, "installed", data=Step("language", wanted.language)))
    stored = found.administrator[1] if found.administrator else None
    if not matches(wanted.administrator_password, stored):
        who = found.administrator[0] if found.administrator else "admin"
        what = f"password of the administrator {who}"
        changes.append(Change(what, "update", "other", "planned", secret=True, data=Step("password", who)))
    if found.administrator and found.administrator[0] != LOGIN:
        what = "login of the administrator"
        changes.append(Change(what, "update", found.administrator[0], LOGIN, data=Step("login", LOGIN)))
    for key, value in wanted.parameters.items():
        seen = found.parameters.get(key)
        if seen != value:
            action = "create" if seen is None else "update"
            changes.append(Change(f"system parameter {key}", action, seen, value, data=Step("parameter", key, value)))
    return changes


def arguments(changes: list[Change]) -> list[str]:
    """Odoo's arguments for the run that installs; empty when none is needed. Nothing secret."""
    named: dict[str, list[str]] = {"install": [], "upgrade": [], "language": []}
    for change in changes:
        named.setdefault(change.data.kind, []).append(change.data.name)
    if not (named["install"] or named["upgrade"] or named["language"]):
        return []
    options = [("--init", named["install"]), ("--update", named["upgrade"]), ("--load-language", named["language"])]
    return [f"{option}={','.join(names)}" for option, names in options if names]


def controls(wanted: Wanted, found: Found) -> list[Control]:
    """What must hold of the database, as Odoo itself and its administrator see it."""
    missing = [name for name in wanted.modules if found.modules.get(name) != "installed"]
    pending = sorted(name for name, state in found.modules.items() if state in PENDING)
    stored = found.administrator[1] if found.administrator else None
    known = "planned" if matches(wanted.administrator_password, stored) else "another"
    seen = {key: found.parameters.get(key) for key in wanted.parameters}
    check = Control.check
    return [
        check("odoo.database.reachable", "The application's role reaches the database", found.reachable, True),
        check("odoo.database.tls", "Odoo's connection to the database is encrypted", found.tls, True),
        check("odoo.database.rights", "The application's role has no rights over the server", list(found.rights), []),
        check("odoo.modules.installed", "Every planned module is installed", missing, []),
        check("odoo.modules.pending", "No module is left half installed or half upgraded", pending, []),
        check("odoo.administrator.password", "The administrator's password is the one in the vault", known, "planned"),
        check("odoo.base_url", "Links lead to the public address, and stay so", seen, wanted.parameters),
        check(
            "odoo.cron.punctual",
            "No scheduled job is more than an hour late",
            list(found.overdue),
            [],
            "look at the log of the container cron",
        ),
    ]

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may sign in to Odoo and with what rights: the desired state, the plan and the controls. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

ADDON = "estate_auth_entra"
PROVIDER_ID = "estate.provider_entra"
ROLE_PREFIX = "role_"
# The provider signs people up; Odoo's own sign-up and password mails stay closed.
PARAMETERS = {"auth_signup.invitation_scope": "b2b", "auth_signup.reset_password": "False"}
SECRET = "client_secret"


@dataclass(frozen=True)
class Role:
    """A business role: its name, the app role in Entra that confers it, and Odoo's groups by external id."""

    name: str
    app_role: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Desired:
    """oidc: the plan's endpoints (issuer, tenant_id, client_id, authorize, token, jwks, redirect) and client_secret."""

    oidc: dict[str, str]
    roles: tuple[Role, ...]

    def provider(self) -> dict[str, Any]:
        """The provider record, field by field, as Odoo names them."""
        oidc = self.oidc
        return {
            "name": "Microsoft Entra",
            "body": "Sign in with Microsoft",
            "enabled": True,
            "flow": "id_token_code",
            "client_id": oidc["client_id"],
            "auth_endpoint": oidc["authorize"],
            "token_endpoint": oidc["token"],
            "jwks_uri": oidc["jwks"],
            "scope": "openid profile email",
            "token_map": "oid:user_id",
            "entra_tenant_id": oidc["tenant_id"],
            "entra_issuer": oidc["issuer"],
            "entra_redirect_uri": oidc["redirect"],
        }


@dataclass(frozen=True)
class FoundRole:
    """A role the estate once made: database ids of the record and its group, and what it grants."""

    id: int
    group_id: int
    name: str
    app_role: str
    groups: frozenset[int]


@dataclass(frozen=True)
class Current:
    """What Odoo holds.

    provider: the estate's provider record with its secret, or None; strangers: other enabled providers, id to name;
    roles: by the name in their external id; parameters: key to value; groups: external id to database id;
    unaccounted: logins of federated people who hold groups but no role.
    """

    provider: dict[str, Any] | None = None
    strangers: dict[int, str] = field(default_factory=dict)
    roles: dict[str, FoundRole] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    unaccounted: tuple[str, ...] = ()


def plan(current: Current | None, desired: Desired) -> list[Change]:
    """The changes in the order they are safe: close what is open, take rights, give rights, then let people in.

    current: None when Odoo is not there yet, seen in check mode only: everything counts as to be created.
    """
    refuse_shared_app_roles(desired)
    if current is not None:
        refuse_unknown_groups(current, desired)
    current = current or Current()
    return [
        *_parameters(current),
        *_strangers(current),
        *_roles(current, desired),
        *_provider(current, desired),
    ]


def refuse_shared_app_roles(desired: Desired) -> None:
    """Refuse two roles that one app role would confer, and two definitions of one role."""
    for kind, values in (
        ("app role", [role.app_role for role in desired.roles]),
        ("role", [role.name for role in desired.roles]),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise EstateError(f"Each {kind} may occur once only: {', '.join(twice)}")


def refuse_unknown_groups(current: Current, desired: Desired) -> None:
    """Refuse roles that name groups Odoo does not have: their module is not installed or the name is wrong."""
    unknown = [
        f"{group} (role {role.name})" for role in desired.roles for group in role.groups if group not in current.groups
    ]
    if unknown:
        raise EstateError(
            "Odoo has no such groups: "
            + ", ".join(unknown)
            + ". Install the modules that bring them, or correct the roles."
        )


def _parameters(current: Current) -> list[Change]:
    return [
        Change(
            f"parameter {key}", "update" if key in current.parameters else "create", current.parameters.get(key), value
        )
        for key, value in PARAMETERS.items()
        if current.parameters.get(key) != value
    ]


def _strangers(current: Current) -> list[Change]:
    return [
        Change(f"sign-in provider {name}", "update", "enabled", "disabled", data=record)
        for record, name in current.strangers.items()
    ]


def _roles(current: Current, desired: Desired) -> list[Change]:
    wanted = {role.name: role for role in desired.roles}
    names = {record: name for name, record in sorted(current.groups.items(), reverse=True)}
    gone = [
        Change(f"role {name}", "delete", _role_text(found, names), None, data=found)
        for name, found in current.roles.items()
        if name not in wanted
    ]
    changed = []
    for name, role in wanted.items():
        found = current.roles.get(name)
        after = _text({"name": name, "app_role": role.app_role, "groups": sorted(role.groups)})
        if found is None:
            changed.append(Change(f"role {name}", "create", None, after, data=role))
        elif not _same(found, role, current.groups):
            changed.append(Change(f"role {name}", "update", _role_text(found, names), after, data=role))
    return gone + changed


def _same(found: FoundRole, role: Role, groups: dict[str, int]) -> bool:
    wanted = frozenset(groups[name] for name in role.groups)
    return (found.name, found.app_role, found.groups) == (role.name, role.app_role, wanted)


def _role_text(found: FoundRole, names: dict[int, str]) -> str:
    groups = sorted(names.get(record, f"group {record}") for record in found.groups)
    return _text({"name": found.name, "app_role": found.app_role, "groups": groups})


def _provider(current: Current, desired: Desired) -> list[Change]:
    wanted, found = desired.provider(), current.provider
    shown = None if found is None else {name: found[name] for name in wanted}
    changes = []
    if shown != wanted:
        before = None if shown is None else _text(shown)
        changes.append(
            Change("sign-in provider Entra", "update" if found else "create", before, _text(wanted), data=wanted)
        )
    secret = desired.oidc[SECRET]
    if found is None or found[SECRET] != secret:
        action = "update" if found else "create"
        before = (found or {}).get(SECRET) or None
        changes.append(Change("client secret of Entra", action, before, secret, secret=True, data={SECRET: secret}))
    return changes


def _text(values: dict[str, Any]) -> str:
    """Values as lines a diff can compare."""
    lines = []
    for name, value in values.items():
        if isinstance(value, list):
            lines += [f"{name}:", *(f"  - {each}" for each in value)]
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines) + "\n"


def controls(current: Current | None, desired: Desired) -> list[Control]:
    """What must hold of sign-in and rights, judged on what was read."""
    current = current or Current()
    provider = current.provider or {}
    pinned = ("entra_tenant_id", "entra_issuer", "client_id", "flow", "jwks_uri", "entra_redirect_uri", "enabled")
    wanted = desired.provider()
    return [
        Control.check(
            "odoo.access.provider",
            "People sign in by one tenant's code flow with pinned issuer, audience and keys",
            {name: provider.get(name) for name in pinned},
            {name: wanted[name] for name in pinned},
            "Run the access playbook",
        ),
        Control.check(
            "odoo.access.other_providers",
            "No other sign-in provider is open",
            sorted(current.strangers.values()),
            [],
            "Run the access playbook: it disables them",
        ),
        Control.check(
            "odoo.access.signup",
            "Nobody signs up or resets a password by themselves",
            {key: current.parameters.get(key) for key in PARAMETERS},
            PARAMETERS,
            "Run the access playbook",
        ),
        Control.check(
            "odoo.access.roles",
            "Each business role confers exactly its groups, by exactly its app role",
            sorted(name for name, found in current.roles.items() if _held(name, found, current, desired)),
            sorted(role.name for role in desired.roles),
            "Run the access playbook",
        ),
        Control.check(
            "odoo.access.people",
            "Everybody who signs in by Entra has rights through roles only",
            list(current.unaccounted),
            [],
            "These people hold groups without a role: have them sign in again, or take the groups away",
        ),
    ]


def _held(name: str, found: FoundRole, current: Current, desired: Desired) -> bool:
    role = next((role for role in desired.roles if role.name == name), None)
    if role is None:
        return True
    return all(group in current.groups for group in role.groups) and _same(found, role, current.groups)

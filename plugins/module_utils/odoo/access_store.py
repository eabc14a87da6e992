# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and changes who may sign in, through Odoo's external interface."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.access import (
    ADDON,
    PARAMETERS,
    PROVIDER_ID,
    ROLE_PREFIX,
    SECRET,
    Current,
    Desired,
    FoundRole,
    Role,
    controls,
    plan,
)
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.client import Client, OdooUnreachable
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

PROVIDER, ROLE, GROUP = "auth.oauth.provider", "res.users.role", "res.groups"
# Texts that Odoo translates are compared in its source language.
SOURCE = {"lang": "en_US"}


class Access:
    """The capability odoo_access hands to the runner.

    connect: opens the client; bare_allowed: in check mode an Odoo that is not there yet is a state, not an error.
    """

    def __init__(self, desired: Desired, connect: Callable[[], Client], bare_allowed: bool) -> None:
        self._desired, self._connect, self._bare_allowed = desired, connect, bare_allowed
        self._client: Client | None = None

    def _opened(self) -> Client:
        self._client = self._client or self._connect()
        return self._client

    def read(self) -> Current | None:
        try:
            client = self._opened()
        except OdooUnreachable:
            if self._bare_allowed:
                return None
            raise
        installed = client.search_read("ir.module.module", [("name", "=", ADDON)], ["state"])
        if [module["state"] for module in installed] != ["installed"]:
            if self._bare_allowed:
                return None
            raise EstateError(f"Odoo's module {ADDON} is not installed: run the odoo playbook first")
        return read(client, list(self._desired.provider()))

    def plan(self, current: Current | None) -> list[Change]:
        return plan(current, self._desired)

    def apply(self, changes: list[Change]) -> None:
        client = self._opened()
        groups = _external_ids(client, GROUP)
        for change in changes:
            _apply(client, change, groups)

    def controls(self, current: Current | None) -> list[Control]:
        return controls(current, self._desired)


def _external_ids(client: Client, model: str) -> dict[str, int]:
    """External id to database id of a model's records."""
    found = client.search_read("ir.model.data", [("model", "=", model)], ["module", "name", "res_id"])
    return {f"{each['module']}.{each['name']}": each["res_id"] for each in found}


def read(client: Client, fields: list[str]) -> Current:
    """Everything access is judged by. fields: those of the provider that count."""
    ours = _external_ids(client, PROVIDER).get(PROVIDER_ID)
    providers = client.search_read(
        PROVIDER, ["|", ("enabled", "=", True), ("id", "=", ours or 0)], [*fields, SECRET], SOURCE
    )
    people = client.search_read(
        "res.users",
        [("oauth_provider_id", "=", ours or 0), ("role_line_ids", "=", False), (client.user_groups, "!=", False)],
        ["login"],
    )
    stored = client.search_read("ir.config_parameter", [("key", "in", list(PARAMETERS))], ["key", "value"])
    return Current(
        provider=next((_plain(each) for each in providers if each["id"] == ours), None),
        strangers={each["id"]: each["name"] for each in providers if each["id"] != ours},
        roles=_roles(client),
        parameters={each["key"]: each["value"] for each in stored},
        groups=_external_ids(client, GROUP),
        unaccounted=tuple(each["login"] for each in people),
    )


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Odoo's False for an empty text as an empty text; `enabled` is the one truth value among them."""
    return {name: value if name in ("id", "enabled") else value or "" for name, value in record.items()}


def _roles(client: Client) -> dict[str, FoundRole]:
    prefix = f"estate.{ROLE_PREFIX}"
    names = {
        record: name[len(prefix) :] for name, record in _external_ids(client, ROLE).items() if name.startswith(prefix)
    }
    fields = ["name", "group_id", "entra_app_role", "implied_ids"]
    found = client.search_read(ROLE, [("id", "in", list(names))], fields, SOURCE)
    return {
        names[each["id"]]: FoundRole(
            id=each["id"],
            group_id=each["group_id"][0],
            name=each["name"],
            app_role=each["entra_app_role"] or "",
            groups=frozenset(each["implied_ids"]),
        )
        for each in found
    }


def _apply(client: Client, change: Change, groups: dict[str, int]) -> None:
    kind = change.resource.split(" ", maxsplit=1)[0]
    if kind == "parameter":
        client.call("ir.config_parameter", "set_param", key=change.resource.split(" ")[1], value=change.after)
    elif isinstance(change.data, Role):
        role = change.data
        values = {
            "id": f"estate.{ROLE_PREFIX}{role.name}",
            "name": role.name,
            "entra_app_role": role.app_role,
            "implied_ids/.id": ",".join(str(groups[name]) for name in role.groups),
        }
        client.load(ROLE, values, SOURCE)
    elif isinstance(change.data, FoundRole):
        # The role first: its holders lose the rights now. Its group is of no use afterwards.
        client.call(ROLE, "unlink", [change.data.id])
        client.call(GROUP, "unlink", [change.data.group_id])
    elif isinstance(change.data, dict):
        values = {name: str(value) if isinstance(value, bool) else value for name, value in change.data.items()}
        client.load(PROVIDER, {"id": PROVIDER_ID, **values}, SOURCE)
    else:
        client.write(PROVIDER, [change.data], {"enabled": False})

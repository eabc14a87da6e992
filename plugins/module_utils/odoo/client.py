# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's external interface behind one small client: XML-RPC up to series 18, JSON-2 from series 19.

Passwords travel in the request's body or header only; no error quotes a request.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
import xmlrpc.client
from typing import Any, Protocol

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

JSON2_FROM = 19


class OdooUnreachable(EstateError):
    """None of the addresses answers as Odoo with this database."""


class OdooRefused(EstateError):
    """Odoo answered, and refused: the sign-in, or a call."""


class Transporter(Protocol):
    """How one call travels. Raises OSError or http.client.HTTPException when nothing answers."""

    def execute(self, model: str, method: str, ids: list[int] | None, named: dict[str, Any]) -> Any:
        """The method's result; raises OdooRefused when Odoo reports an error."""


class Client:
    """A signed-in user's view of one database. user_groups: how this series calls the groups of res.users."""

    def __init__(self, protocol: Transporter, user_groups: str = "groups_id") -> None:
        self._protocol, self.user_groups = protocol, user_groups

    def call(self, model: str, method: str, ids: list[int] | None = None, **named: Any) -> Any:
        """Any public method, on the records `ids` or, without ids, on the model."""
        try:
            return self._protocol.execute(model, method, ids, named)
        except (OSError, http.client.HTTPException) as err:
            raise OdooUnreachable(f"Odoo stopped answering in {model}.{method}: {err}") from None

    def search_read(self, model: str, domain: list, fields: list[str], context: dict | None = None) -> list[dict]:
        """All records of the domain with these fields, by id."""
        return self.call(model, "search_read", domain=domain, fields=fields, order="id", context=context or {})

    def write(self, model: str, ids: list[int], values: dict) -> None:
        """Set these values on these records."""
        self.call(model, "write", ids, vals=values)

    def load(self, model: str, values: dict[str, Any], context: dict | None = None) -> int:
        """Create or update the record whose external id is values["id"], both in one transaction; its database id.

        values: as Odoo's import takes them: texts, and for relations "field/.id" with database ids joined by commas.
        """
        named = {"fields": list(values), "data": [list(values.values())]}
        result = self.call(model, "load", **named, context=context or {})
        if not result["ids"]:
            said = "; ".join(str(message.get("message")) for message in result["messages"])
            raise OdooRefused(f"{model} {values['id']}: {said}")
        return result["ids"][0]


def connect(urls: list[str], *, database: str, login: str, password: str, series: str, timeout_s: float = 60) -> Client:
    """A client at the first URL that answers.

    urls: base addresses like http://10.77.0.21:8069; password: from series 19 on an API key; series: "14.0" to "19.0".
    """
    json2 = int(series.split(".", maxsplit=1)[0]) >= JSON2_FROM
    opened, user_groups = (_open_json2, "group_ids") if json2 else (_open_xmlrpc, "groups_id")
    silent = []
    for url in urls:
        try:
            return Client(opened(url.rstrip("/"), database, login, password, timeout_s), user_groups)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as err:
            silent.append(f"{url}: {err if isinstance(err, OSError) else type(err).__name__}")
    raise OdooUnreachable("No Odoo answers at " + "; ".join(silent))


def _open_xmlrpc(url: str, database: str, login: str, password: str, timeout_s: float) -> _XmlRpc:
    protocol = _XmlRpc(url, database, password, timeout_s)
    protocol.sign_in(login)
    return protocol


def _open_json2(url: str, database: str, login: str, password: str, timeout_s: float) -> _Json2:
    protocol = _Json2(url, database, password, timeout_s)
    protocol.execute("res.users", "context_get", None, {})
    return protocol


class _Transport(xmlrpc.client.Transport):
    """Plain HTTP with a time limit. No proxy: the address is on this host or in its private network."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = self._timeout_s
        return connection


class _XmlRpc:
    """XML-RPC: ids first, and by position what the models that override a method name as they like."""

    BY_POSITION = {"write": ("vals",), "load": ("fields", "data")}

    def __init__(self, url: str, database: str, password: str, timeout_s: float) -> None:
        self._url, self._database, self._password, self._timeout_s = url, database, password, timeout_s
        self._uid = 0

    def _service(self, name: str) -> xmlrpc.client.ServerProxy:
        return xmlrpc.client.ServerProxy(
            f"{self._url}/xmlrpc/2/{name}", transport=_Transport(self._timeout_s), allow_none=True
        )

    def sign_in(self, login: str) -> None:
        try:
            self._uid = self._service("common").authenticate(self._database, login, self._password, {})
        except xmlrpc.client.Fault as fault:
            # Not a wrong password: the database itself is not there or not served here.
            raise OdooUnreachable(f"Odoo at {self._url}, database {self._database}: {_last_line(fault)}") from None
        if not self._uid:
            raise OdooRefused(f"Odoo at {self._url} refuses the sign-in of {login} to database {self._database}")

    def execute(self, model: str, method: str, ids: list[int] | None, named: dict[str, Any]) -> Any:
        placed = self.BY_POSITION.get(method, ())
        positional = [] if ids is None else [ids]
        positional += [named[name] for name in placed]
        named = {name: value for name, value in named.items() if name not in placed}
        try:
            return self._service("object").execute_kw(
                self._database, self._uid, self._password, model, method, positional, named
            )
        except xmlrpc.client.Fault as fault:
            raise OdooRefused(f"{model}.{method}: {_last_line(fault)}") from None
        except xmlrpc.client.ProtocolError as err:
            raise OdooRefused(f"{model}.{method}: HTTP {err.errcode}") from None


def _last_line(fault: xmlrpc.client.Fault) -> str:
    """What a fault says, without the server's stack."""
    return (fault.faultString or "").strip().splitlines()[-1] if fault.faultString else f"fault {fault.faultCode}"


class _Json2:
    """JSON-2: everything named, the API key as bearer, the database in a header."""

    def __init__(self, url: str, database: str, key: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._headers = {
            "Authorization": f"bearer {key}",
            "X-Odoo-Database": database,
            "Content-Type": "application/json",
        }
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def execute(self, model: str, method: str, ids: list[int] | None, named: dict[str, Any]) -> Any:
        body = dict(named) if ids is None else {"ids": ids, **named}
        request = urllib.request.Request(
            f"{self._url}/json/2/{model}/{method}", data=json.dumps(body).encode(), headers=self._headers
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                return json.load(response)
        except urllib.error.HTTPError as err:
            raise OdooRefused(f"{model}.{method}: HTTP {err.code} {_json2_message(err)}") from None
        except ValueError:
            raise OdooUnreachable(f"{self._url} answers, but not as Odoo does") from None


def _json2_message(err: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(err)["message"])
    except (ValueError, KeyError, TypeError):
        return str(err.reason)

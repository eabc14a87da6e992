# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who sign in to Odoo through the OpenID provider, and the administrator who looks at what they hold."""

from __future__ import annotations

import re
import ssl
import time
import xmlrpc.client
from html import unescape
from typing import Any
from urllib.parse import urljoin

import requests

PASSWORD = "lab"
BUTTON = re.compile(r'href="(/auth_oauth/entra/[^"]+)"')
ALERT = re.compile(r"<p[^>]*alert-danger[^>]*>\s*(.*?)\s*</p>", re.S)
# Bad tokens, and people nothing is assigned to: the provider's accounts of these names.
REFUSED = ("norole", "othertenant", "otheraudience", "expired", "wrongnonce", "badsignature")


class Administrator:
    """Odoo's API as the administrator."""

    def __init__(self, url: str, database: str, password: str, ca: str) -> None:
        self.database, self._password = database, password
        context = ssl.create_default_context(cafile=ca)
        self._common = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common", context=context)
        self._uid = self.authenticate("admin", password)
        assert self._uid, "the administrator's secret does not sign in"
        self._objects = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object", context=context, allow_none=True)

    def authenticate(self, login: str, password: str) -> int | bool:
        """The user's id if the API takes this password, else False."""
        return self._common.authenticate(self.database, login, password, {})

    def __call__(self, model: str, method: str, *args: Any, **named: Any) -> Any:
        """model.method(*args, **named), as XML-RPC takes it."""
        try:
            return self._objects.execute_kw(self.database, self._uid, self._password, model, method, list(args), named)
        finally:
            # The edge ends what was idle for long, and a write on that is not tried again.
            self._objects("close")()

    def user(self, name: str) -> dict[str, Any] | None:
        """The federated user of an account of the provider, archived or not."""
        domain = [("oauth_provider_id.entra_tenant_id", "!=", False), ("email", "=like", f"{name}@%")]
        fields = ["login", "name", "email", "share", "active", "oauth_uid", "role_line_ids", "groups_id"]
        found = self("res.users", "search_read", domain, fields=fields, context={"active_test": False})
        assert len(found) <= 1, found
        return found[0] if found else None

    def roles(self, user: dict[str, Any]) -> list[str]:
        """The names of the roles a user holds."""
        lines = self("res.users.role.line", "read", user["role_line_ids"], ["role_id"])
        return sorted(line["role_id"][1] for line in lines)

    def conferred(self, role: str) -> set[int]:
        """The groups a role confers: its own, those it names, and all that these imply."""
        record = self.role(role)
        found = self("res.users.role", "read", [record], ["group_id", "trans_implied_ids"])[0]
        return {found["group_id"][0], *found["trans_implied_ids"]}

    def role(self, name: str) -> int:
        """The database id of a role the estate made."""
        return self.record(f"estate.role_{name}")

    def record(self, external_id: str) -> int:
        """The database id of a record by its external id."""
        module, name = external_id.split(".")
        domain = [("module", "=", module), ("name", "=", name)]
        return self("ir.model.data", "search_read", domain, fields=["res_id"])[0]["res_id"]

    def forget(self, name: str) -> None:
        """Remove the federated user of an account, as if they had never signed in."""
        if user := self.user(name):
            self("res.users", "unlink", [user["id"]])


class Person:
    """One browser of somebody who signs in, without its screen."""

    def __init__(self, site: str, ca: str) -> None:
        self.site, self.http = site, requests.Session()
        # What the environment says about proxies and trusted roots is not the lab's.
        self.http.trust_env = False
        self.http.verify = ca

    def request(self, method: str, address: str, **options: Any) -> requests.Response:
        """A request from this browser, redirects not followed; waits when the site asks to slow down."""
        while True:
            answer = self.http.request(
                method, urljoin(self.site, address), allow_redirects=False, timeout=60, **options
            )
            if answer.status_code != 429:
                return answer
            time.sleep(float(answer.headers.get("Retry-After", 5)))

    def press(self, redirect: str | None = None) -> str:
        """Press the button on the login page: the address at the provider it leads to."""
        page = self.request("GET", "/web/login", params={"redirect": redirect} if redirect else {})
        link = BUTTON.search(page.text)
        assert link, page.text
        answer = self.request("GET", unescape(link[1]))
        assert answer.status_code == 303, answer
        return answer.headers["Location"]

    def identify(self, provider_address: str, name: str) -> str:
        """Fill in the provider's form: the address of the site it sends the browser back to."""
        address, page = self._follow("GET", provider_address)
        fields = {}
        for tag in re.findall(r"<input[^>]*>", page.text):
            attributes = {key: unescape(value) for key, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
            kind = attributes.get("type", "text")
            fields[attributes["name"]] = {"password": PASSWORD, "text": name}.get(kind, attributes.get("value", ""))
        back, _answer = self._follow("POST", address, data=fields)
        return back

    def _follow(self, method: str, address: str, **options: Any) -> tuple[str, requests.Response | None]:
        """Ask the provider and go where it leads: to one of its pages, or back to the site, which is not asked yet."""
        answer = self.request(method, address, **options)
        while answer.is_redirect:
            address = urljoin(address, answer.headers["Location"])
            if address.startswith(self.site):
                return address, None
            answer = self.request("GET", address)
        assert answer.status_code == 200, (address, answer.text)
        return address, answer

    def sign_in(self, name: str, redirect: str | None = None) -> requests.Response:
        """The whole way; the answer of Odoo to the provider's redirect."""
        return self.request("GET", self.identify(self.press(redirect), name))

    def session(self) -> dict[str, Any] | None:
        """Who this browser is signed in as, as Odoo tells its own pages; None for nobody."""
        answer = self.request("POST", "/web/session/get_session_info", json={"jsonrpc": "2.0", "params": {}})
        return answer.json().get("result")

    def message(self) -> str | None:
        """What the login page says is wrong."""
        alert = ALERT.search(self.request("GET", "/web/login").text)
        return unescape(alert[1]) if alert else None

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of Odoo's external interface, against servers that answer as Odoo does."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.client import OdooRefused, OdooUnreachable, connect

SECRET = "c4nary-password"


class Server:
    """A local HTTP server; `seen` records what reached it, `answers` what a model's method returns."""

    def __init__(self, handle):
        seen, answers = self.seen, self.answers = [], {}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, kind, content = handle(self.path, self.headers, body, seen, answers)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self._http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


def xmlrpc(path, _headers, body, seen, answers):
    def authenticate(database, login, password, _env):
        if database != "shop":
            raise Fault(1, 'Traceback\n  ...\npsycopg2.OperationalError: database "other" does not exist')
        return 7 if (login, password) == ("admin", SECRET) else False

    def execute_kw(*arguments):
        *who, model, method, positional, named = arguments
        assert who == ["shop", 7, SECRET]
        seen.append((model, method, positional, named))
        if method not in answers:
            raise Fault(2, "Traceback\n  ...\nodoo.exceptions.UserError: no such thing")
        return answers[method]

    dispatcher = SimpleXMLRPCDispatcher(allow_none=True)
    dispatcher.register_function(authenticate)
    dispatcher.register_function(execute_kw)
    return 200, "text/xml", dispatcher._marshaled_dispatch(body, path=path)


def json2(path, headers, body, seen, answers):
    if headers["Authorization"] != f"bearer {SECRET}":
        return 401, "application/json", json.dumps({"message": "Invalid apikey"}).encode()
    assert headers["X-Odoo-Database"] == "shop"
    _empty, _json, _two, model, method = path.split("/")
    seen.append((model, method, json.loads(body)))
    if method not in answers:
        return 422, "application/json", json.dumps({"name": "UserError", "message": "no such thing"}).encode()
    return 200, "application/json", json.dumps(answers[method]).encode()


@pytest.fixture(params=["14.0", "18.0", "19.0"])
def series(request):
    return request.param


@pytest.fixture
def server(series):
    made = Server(json2 if series == "19.0" else xmlrpc)
    made.answers["context_get"] = {}
    yield made
    made.close()


def opened(server, series, **changed):
    options = {"database": "shop", "login": "admin", "password": SECRET, "series": series, "timeout_s": 5, **changed}
    return connect([server.url], **options)


def silent_url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_search_read_is_asked_the_same_way_in_every_series(server, series):
    server.answers["search_read"] = [{"id": 3, "name": "x"}]
    client = opened(server, series)
    assert client.search_read("res.users", [("id", "=", 3)], ["name"]) == [{"id": 3, "name": "x"}]
    named = {"domain": [["id", "=", 3]], "fields": ["name"], "order": "id", "context": {}}
    expected = ("res.users", "search_read", named) if series == "19.0" else ("res.users", "search_read", [], named)
    assert server.seen[-1] == expected


def test_write_names_the_records(server, series):
    server.answers["write"] = True
    opened(server, series).write("res.users", [3, 4], {"active": False})
    if series == "19.0":
        assert server.seen[-1] == ("res.users", "write", {"ids": [3, 4], "vals": {"active": False}})
    else:
        assert server.seen[-1] == ("res.users", "write", [[3, 4], {"active": False}], {})


def test_load_returns_the_records_id_or_what_odoo_said(server, series):
    server.answers["load"] = {"ids": [12], "messages": []}
    client = opened(server, series)
    assert client.load("res.users.role", {"id": "estate.role_x", "name": "x"}) == 12
    fields, data = ["id", "name"], [["estate.role_x", "x"]]
    if series == "19.0":
        assert server.seen[-1][2] == {"fields": fields, "data": data, "context": {}}
    else:
        assert server.seen[-1][2:] == ([fields, data], {"context": {}})
    server.answers["load"] = {"ids": False, "messages": [{"type": "error", "message": "name is taken"}]}
    with pytest.raises(OdooRefused, match="estate.role_x: name is taken"):
        client.load("res.users.role", {"id": "estate.role_x", "name": "x"})


def test_a_refused_call_says_why_without_the_stack(server, series):
    with pytest.raises(OdooRefused, match="no such thing") as refusal:
        opened(server, series).call("res.users", "nonsense", [1])
    assert "Traceback" not in str(refusal.value)


def test_a_wrong_password_is_refused_and_not_quoted(server, series):
    with pytest.raises(OdooRefused) as refusal:
        opened(server, series, password="wr0ng-canary")
    assert "wr0ng-canary" not in str(refusal.value)


def test_the_first_address_that_answers_is_used(server, series):
    options = {"database": "shop", "login": "admin", "password": SECRET, "series": series, "timeout_s": 5}
    server.answers["search_read"] = []
    assert connect([silent_url(), server.url + "/"], **options).search_read("res.users", [], ["login"]) == []


def test_silence_everywhere_is_told_with_every_address(series):
    urls = [silent_url(), silent_url()]
    with pytest.raises(OdooUnreachable) as silence:
        connect(urls, database="shop", login="admin", password=SECRET, series=series, timeout_s=5)
    assert all(url in str(silence.value) for url in urls)


def test_a_database_that_is_not_there_is_absence_not_refusal():
    server = Server(xmlrpc)
    try:
        with pytest.raises(OdooUnreachable, match='database "other" does not exist'):
            opened(server, "14.0", database="other")
    finally:
        server.close()


def test_the_groups_of_a_user_have_another_name_from_19_on(server, series):
    assert opened(server, series).user_groups == ("group_ids" if series == "19.0" else "groups_id")

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""module_utils/site, and so the module site_info, against a real HTTP server."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.site import client


class Site(BaseHTTPRequestHandler):
    """200 on /, a redirect on /old, 403 elsewhere."""

    def do_GET(self) -> None:  # noqa: N802
        status, target = {"/": (200, None), "/old": (308, "/")}.get(self.path, (403, None))
        self.send_response(status)
        if target:
            self.send_header("Location", target)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def probe(url, *answers):
    return {"id": "site.x", "title": "Holds", "url": url, "answers": list(answers)}


def test_right_answers_pass_and_wrong_ones_are_named(site):
    probes = [probe(site + "/", "200"), probe(site + "/old", "308 /"), probe(site + "/closed", "200", "204")]
    passed, redirected, failed = client.controls(probes, None, 5)
    assert (passed.state, redirected.state) == ("pass", "pass")
    assert (failed.state, failed.observed, failed.expected) == ("fail", "403", "200 or 204")
    assert failed.reason == site + "/closed"


def test_no_answer_is_a_failed_control_not_a_traceback(site):
    (control,) = client.controls([probe("http://127.0.0.1:1/", "200")], None, 1)
    assert control.state == "fail"
    assert control.observed.startswith("no answer: ")

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a site over HTTP as a stranger would: no redirects followed, certificates checked."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

AT_ONCE = 8


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def answer(url: str, ca_file: str | None, timeout_s: float) -> str:
    """What a GET is answered with: the status, and the target of a redirect; or the reason there was no answer."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
    )
    try:
        with opener.open(url, timeout=timeout_s) as response:
            return str(response.status)
    except urllib.error.HTTPError as err:
        target = err.headers.get("Location")
        return f"{err.code} {target}" if target else str(err.code)
    except (OSError, ValueError) as err:
        return f"no answer: {getattr(err, 'reason', err)}"


def controls(probes: list[dict], ca_file: str | None, timeout_s: float) -> list[Control]:
    """A control for each probe, asked side by side: it passes where the answer is one of those expected."""

    def judge(probe: dict) -> Control:
        observed = answer(probe["url"], ca_file, timeout_s)
        state = "pass" if observed in probe["answers"] else "fail"
        return Control(probe["id"], probe["title"], state, observed, " or ".join(probe["answers"]), probe["url"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(judge, probes))

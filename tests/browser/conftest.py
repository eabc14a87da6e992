# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium that trusts the lab's root certificate, as a retailer's own machines would."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from ansible_collections.retailerp.estate.tests.integration.conftest import LAB, lab, odoo, site

__all__ = ["lab", "odoo", "site"]

CHROMIUM = "/usr/bin/chromium"
# Root needs --no-sandbox; the rest keeps the browser from talking to anybody but the lab.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Odoo compiles its assets when the first page is asked for.
TIMEOUT_MS = 120_000
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.S)


@pytest.fixture(scope="session")
def home(lab, tmp_path_factory) -> Path:
    """A home directory whose certificate store holds the lab's roots and nothing else."""
    directory = tmp_path_factory.mktemp("home")
    store = directory / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "--empty-password", "-d", f"sql:{store}"], check=True)
    for number, root in enumerate(CERTIFICATE.findall(Path(lab.ca).read_text())):
        add = ["certutil", "-A", "-d", f"sql:{store}", "-n", f"lab {number}", "-t", "C,,", "-a"]
        subprocess.run(add, input=root, text=True, check=True)
    return directory


@pytest.fixture(scope="session")
def chromium(home):
    """The browser; every page of it has a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, env={"HOME": str(home)})
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, request):
    """A fresh profile's page; how it looked at the end is kept in .lab/artefacts."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(TIMEOUT_MS)
    opened = context.new_page()
    yield opened
    artefacts = LAB / "artefacts"
    artefacts.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=artefacts / f"{re.sub(r'[^a-z0-9]+', '-', request.node.name).strip('-')}.png")
    context.close()

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add pebble's root to the lab's bundle of roots.

Pebble makes a new root at every start and forgets the old one. Certificates it issued before stay in use, so the
bundle keeps every root this lab has seen. The folder is `.lab/trust` of the machine that runs the lab.
"""

import hashlib
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

FOLDER = Path("/var/lib/lab/trust")
ROOT_URL = "https://127.0.0.1:15000/roots/0"


def fetch() -> bytes:
    """Return the present root in PEM; give pebble 30 s to start listening."""
    context = ssl.create_default_context(cafile=str(FOLDER / "lab.pem"))
    context.check_hostname = False  # the certificate names acme.lab.test, the question goes to the loopback address
    for attempt in range(150):
        try:
            with urllib.request.urlopen(ROOT_URL, timeout=5, context=context) as answer:
                return answer.read()
        except (urllib.error.URLError, ConnectionError):
            if attempt == 149:
                raise
            time.sleep(0.2)
    raise AssertionError("unreachable")


def main() -> None:
    root = fetch()
    (FOLDER / f"acme-{hashlib.sha256(root).hexdigest()[:12]}.pem").write_bytes(root)
    parts = [FOLDER / "lab.pem", *sorted(FOLDER.glob("acme-*.pem"))]
    partial = FOLDER / "root.pem.partial"
    partial.write_bytes(b"".join(part.read_bytes() for part in parts))
    os.replace(partial, FOLDER / "root.pem")


main()

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds an estate is really there: the object store that backups go to keeps what it is given."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate

import pytest
import requests

STORE = "https://blob.lab.test:10000"
ACCOUNT = "devstoreaccount1"
# Azurite's own, the same everywhere: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def store(lab, method: str, path: str, *, body: bytes = b"", query: str = "", key: str = KEY) -> requests.Response:
    """One request, signed as Azure's Shared Key scheme says."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    if method == "PUT" and not query:
        headers["x-ms-blob-type"] = "BlockBlob"
    signed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    resource = f"/{ACCOUNT}/{ACCOUNT}/{path}" + (f"\n{query.replace('=', ':')}" if query else "")
    text = f"{method}\n\n\n{len(body) or ''}\n\n\n\n\n\n\n\n\n{signed}{resource}"
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{STORE}/{ACCOUNT}/{path}" + (f"?{query}" if query else "")
    return requests.request(method, url, data=body, headers=headers, verify=lab.ca, timeout=20)


@pytest.fixture
def container(lab):
    """A container of the store, removed with all in it."""
    assert store(lab, "PUT", "estate-test", query="restype=container").status_code == 201
    yield "estate-test"
    store(lab, "DELETE", "estate-test", query="restype=container")


def test_the_object_store_keeps_a_blob_for_those_who_hold_the_key(lab, container):
    assert store(lab, "PUT", f"{container}/blob", body=b"kept").status_code == 201
    assert store(lab, "GET", f"{container}/blob").content == b"kept"
    stranger = base64.b64encode(b"another key").decode()
    assert store(lab, "GET", f"{container}/blob", key=stranger).status_code == 403

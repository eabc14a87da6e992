# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the lab's S3 store with one of its keys, past pgBackRest: what an intruder would try with it."""

from __future__ import annotations

import base64
import datetime
import hashlib
import urllib.parse

import requests

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import store_lock


class Identity:
    """One key of a store of type s3 in path style; `place` is the store as the estate's file has it."""

    def __init__(self, place: dict, key: tuple[str, str], ca: str) -> None:
        self._place, self._ca = place, ca
        self._own = {"s3-region": place["region"], "s3-key": key[0], "s3-key-secret": key[1]}

    def ask(
        self, method: str, name: str, query: dict[str, str], body: str = "", headers: dict | None = None
    ) -> requests.Response:
        """A request for an object of the bucket."""
        host = f"{self._place['endpoint']}:{self._place['port']}"
        path = f"/{self._place['bucket']}/{name}"
        said = "&".join(f"{key}={urllib.parse.quote(query[key], safe='')}" for key in sorted(query))
        content = body.encode()
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(content).hexdigest()
        given = {"host": host, "x-amz-date": now, "x-amz-content-sha256": digest, **(headers or {})}
        if content:
            given["content-md5"] = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        given["Authorization"] = store_lock.authorization(self._own, method, path, said, given)
        address = f"https://{host}{path}" + (f"?{said}" if said else "")
        return requests.request(method, address, data=content, headers=given, verify=self._ca, timeout=20)

    def shorten(self, name: str, version: str) -> requests.Response:
        """PutObjectRetention: the lock of a version ends in an hour."""
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        body = (
            '<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>COMPLIANCE</Mode>'
            f"<RetainUntilDate>{end:%Y-%m-%dT%H:%M:%SZ}</RetainUntilDate></Retention>"
        )
        return self.ask("PUT", name, {"retention": "", "versionId": version}, body)

    def delete(self, name: str, version: str) -> requests.Response:
        """DeleteObjectVersion, past every lock that can be passed."""
        return self.ask("DELETE", name, {"versionId": version}, headers={"x-amz-bypass-governance-retention": "true"})

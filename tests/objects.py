# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the lab's S3 store as one of its identities, past pgBackRest: what an intruder would try with its keys.

Signed by AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request").
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import urllib.parse

import requests


def signed(region: str, key: tuple[str, str], request: tuple[str, str, str, bytes], headers: dict) -> dict:
    """The headers of a request (method, path, query, body), signed; host and x-amz-date are among them already.

    key: its name and its secret.
    """
    method, path, query, body = request
    digest = hashlib.sha256(body).hexdigest()
    headers = {**headers, "x-amz-content-sha256": digest}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    whole = hashlib.sha256(f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}".encode()).hexdigest()
    secret = f"AWS4{key[1]}".encode()
    for part in scope.split("/"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{whole}".encode(), hashlib.sha256).hexdigest()
    credential = f"AWS4-HMAC-SHA256 Credential={key[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": credential}


class Identity:
    """One key of a store of type s3 in path style; `place` is the store as the estate's file has it."""

    def __init__(self, place: dict, key: tuple[str, str], ca: str) -> None:
        self._place, self._key, self._ca = place, key, ca

    def ask(
        self, method: str, name: str, query: dict[str, str], body: str = "", headers: dict | None = None
    ) -> requests.Response:
        """A request for an object of the bucket."""
        host = f"{self._place['endpoint']}:{self._place['port']}"
        path = f"/{self._place['bucket']}/{name}"
        said = "&".join(f"{key}={urllib.parse.quote(query[key], safe='')}" for key in sorted(query))
        content = body.encode()
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        given = {"host": host, "x-amz-date": now, **(headers or {})}
        if content:
            digest = hashlib.md5(content, usedforsecurity=False).digest()
            given["content-md5"] = base64.b64encode(digest).decode()
        whole = signed(self._place["region"], self._key, (method, path, said, content), given)
        address = f"https://{host}{path}" + (f"?{said}" if said else "")
        return requests.request(method, address, data=content, headers=whole, verify=self._ca, timeout=20)

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

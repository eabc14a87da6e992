# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an object store, with the credentials pgBackRest has, what it lets nobody delete, and for how long.

S3: GetObjectLockConfiguration, signed by AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API
request"). Azure: Get Blob Properties (learn.microsoft.com/rest/api/storageservices), by a shared access signature,
which is part of the address.
"""

from __future__ import annotations

import configparser
import datetime
import hashlib
import hmac
import http.client
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

TIMEOUT_S = 20
AZURE_VERSION = "2021-12-02"
"""Immutability of single versions came with 2020-06-12."""
NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Lock:
    """What the store says. mode: None where it locks nothing; days: for how long; error: why it did not say."""

    mode: str | None = None
    days: int = 0
    error: str | None = None


def options(*paths: str) -> dict[str, str]:
    """The section [global] of pgBackRest's files; later ones add to it."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    for path in paths:
        parser.read(path, encoding="utf-8")
    return dict(parser["global"]) if parser.has_section("global") else {}


def known(given: Mapping[str, str], number: int) -> bool:
    """Whether the configuration has the store; a bare host in check mode has none."""
    return f"repo{number}-type" in given


def ask(given: Mapping[str, str], number: int, stanza: str) -> Lock:
    """The lock of one store. A directory has none."""
    own = {name.partition("-")[2]: value for name, value in given.items() if name.startswith(f"repo{number}-")}
    try:
        if own.get("type") == "s3":
            return _s3(own)
        if own.get("type") == "azure":
            return _azure(own, stanza)
    except (OSError, http.client.HTTPException, ElementTree.ParseError, KeyError, ValueError) as err:
        return Lock(error=" ".join(f"{type(err).__name__}: {err}".split()))
    return Lock()


def _request(own: Mapping[str, str], host: str, method: str, target: str, headers: Mapping[str, str]):
    context = ssl.create_default_context(cafile=own.get("storage-ca-file"))
    connection = http.client.HTTPSConnection(
        host, int(own.get("storage-port", "443")), timeout=TIMEOUT_S, context=context
    )
    try:
        connection.request(method, target, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def _s3(own: Mapping[str, str]) -> Lock:
    bucket, in_path = own["s3-bucket"], own.get("s3-uri-style") == "path"
    host = own["s3-endpoint"] if in_path else f"{bucket}.{own['s3-endpoint']}"
    path = f"/{bucket}" if in_path else "/"
    port = own.get("storage-port", "443")
    named = host if port == "443" else f"{host}:{port}"
    now = datetime.datetime.now(datetime.timezone.utc)
    headers = signed(own, named, path, "object-lock=", now.strftime("%Y%m%dT%H%M%SZ"))
    status, _headers, body = _request(own, host, "GET", f"{path}?object-lock=", headers)
    if status == http.client.NOT_FOUND and b"ObjectLockConfigurationNotFound" in body:
        return Lock()
    if status != http.client.OK:
        return Lock(error=f"the store answers {status}")
    return of_s3(body)


def of_s3(body: bytes) -> Lock:
    """From S3's ObjectLockConfiguration: the default retention, which every object gets that is written."""
    said = {part.tag.rpartition("}")[2]: part.text or "" for part in ElementTree.fromstring(body).iter()}
    if said.get("ObjectLockEnabled") != "Enabled" or not said.get("Mode"):
        return Lock()
    return Lock(said["Mode"], int(said.get("Days") or 0) + 365 * int(said.get("Years") or 0))


def signed(own: Mapping[str, str], host: str, path: str, query: str, stamp: str) -> dict[str, str]:
    """The headers of a GET without body, signed."""
    headers = {"host": host, "x-amz-content-sha256": NOBODY, "x-amz-date": stamp}
    return {**headers, "Authorization": authorization(own, "GET", path, query, headers)}


def authorization(own: Mapping[str, str], method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The header that signs a request with these headers, named in small letters.

    host, x-amz-date and x-amz-content-sha256 are among them.
    """
    stamp = headers["x-amz-date"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{headers['x-amz-content-sha256']}"
    scope = f"{stamp[:8]}/{own['s3-region']}/s3/aws4_request"
    key = f"AWS4{own['s3-key-secret']}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    whole = hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{whole}".encode(), hashlib.sha256).hexdigest()
    credential = f"{own['s3-key']}/{scope}"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"


def _azure(own: Mapping[str, str], stanza: str) -> Lock:
    account, in_path = own["azure-account"], own.get("azure-uri-style") == "path"
    host = own["azure-endpoint"] if in_path else f"{account}.{own['azure-endpoint']}"
    below = f"{own['path'].strip('/')}/archive/{stanza}/archive.info"
    container = (f"/{account}" if in_path else "") + f"/{own['azure-container']}"
    status, headers, _body = _request(
        own,
        host,
        "HEAD",
        f"{container}/{urllib.parse.quote(below)}?{own['azure-key'].lstrip('?')}",
        {"x-ms-version": AZURE_VERSION},
    )
    if status != http.client.OK:
        return Lock(error=f"the store answers {status}")
    return of_azure(headers)


def of_azure(headers: Mapping[str, str]) -> Lock:
    """From the properties of a blob that every backup has: until when its version stays, counted from its writing."""
    until, written = headers.get("x-ms-immutability-policy-until-date"), headers.get("Last-Modified")
    if not until or not written:
        return Lock()
    length = parsedate_to_datetime(until) - parsedate_to_datetime(written)
    return Lock(
        (headers.get("x-ms-immutability-policy-mode") or "unlocked").upper(), round(length.total_seconds() / 86400)
    )

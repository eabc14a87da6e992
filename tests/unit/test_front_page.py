# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read first: the help of make, and what the machine must have."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_make_help_stands_in_two_columns():
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    starts = {re.match(r"  make [a-z-]+ +", line).end() for line in done.stdout.splitlines()}
    assert len(starts) == 1, done.stdout


def test_both_front_pages_ask_for_the_same_disk():
    said = re.compile(r"(\d+) GB of free disk \(the lab takes about (\d+)\)")
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in ("README.md", "molecule/README.md")]
    assert len({said.search(text).groups() for text in texts}) == 1
    assert not [text for text in texts if len(re.findall(r"GB of (?:free )?disk", text)) != 1]

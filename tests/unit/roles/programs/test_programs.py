# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timer runs is laid whole: each piece of the modules' code that its program imports, and no other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]
CODE = ROOT / "plugins/module_utils"
PREFIX = "ansible_collections.retailerp.estate.plugins.module_utils."


def variables(role):
    return yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text())


def imported(start):
    """Every file of ours that a program needs, itself included."""
    found, left = set(), [start]
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse((CODE / path).read_text())):
            if not isinstance(node, ast.ImportFrom) or not f"{node.module}.".startswith(PREFIX):
                continue
            base = f"{node.module}."[len(PREFIX) :].rstrip(".").replace(".", "/")
            candidates = [f"{base}.py", *(f"{base}/{one.name}.py".lstrip("/") for one in node.names)]
            left += [candidate for candidate in candidates if (CODE / candidate).is_file()]
    return found


FILESTORE = variables("filestore_backup")
PROGRAMS = [
    ("drill/main.py", variables("restore_drill")["__restore_drill_program"]),
    *(
        (start, FILESTORE["__filestore_backup_common"] + FILESTORE["__filestore_backup_own"][part])
        for start, part in (("filestore/keep.py", "keeper"), ("filestore/point.py", "points"))
    ),
]


@pytest.mark.parametrize(("start", "laid"), PROGRAMS, ids=[start for start, _laid in PROGRAMS])
def test_a_timers_program_is_laid_whole(start, laid):
    assert imported(start) == set(laid)

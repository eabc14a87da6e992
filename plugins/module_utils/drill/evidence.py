# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drills found, a file each, named by the time when they began."""

from __future__ import annotations

import glob
import json
from typing import Any


def paths(folder: str) -> list[str]:
    """All files, oldest first."""
    return sorted(glob.glob(f"{folder}/*.json"))


def read(folder: str) -> list[dict[str, Any]]:
    """What they say, oldest first. One that cannot be read is evidence of a drill that failed."""
    found = []
    for path in paths(folder):
        try:
            with open(path, encoding="utf-8") as file:
                found.append(json.load(file))
        except ValueError:
            found.append({"path": path, "controls": [{"title": f"{path} is no evidence of a drill", "state": "fail"}]})
    return found

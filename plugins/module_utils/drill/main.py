# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore drill by a timer, without a controller: what the module does, told by a file.

usage: python3 -m ansible_collections.retailerp.estate.plugins.module_utils.drill.main CONFIGURATION

The file has the module's options. Ends with 1, and the unit has failed, when anything did not hold.
"""

from __future__ import annotations

import json
import sys

from ansible_collections.retailerp.estate.plugins.module_utils.drill.plan import DEFAULTS
from ansible_collections.retailerp.estate.plugins.module_utils.drill.run import Run
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE, System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError


def main(path: str) -> int:
    """Drill under the lock that the module holds, too."""
    with open(path, encoding="utf-8") as file:
        drill = Run({**DEFAULTS, **json.load(file)})
    try:
        _held = System().lock(f"{STATE}/restore_drill.lock")
        drill.apply(drill.plan(drill.read()))
    except (EstateError, OSError) as err:
        sys.stdout.write(f"the drill failed: {err}\n")
        return 1
    told = drill.evidence
    sys.stdout.write(f"{told['point']['name']} was restored in {told['rto_s']} s: {told['path']}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))

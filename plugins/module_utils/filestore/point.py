# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery point by a timer of the application host, without a controller: what the module does, told by a file.

usage: python3 -m ansible_collections.retailerp.estate.plugins.module_utils.filestore.point CONFIGURATION

The file has the module's options. A point is named by its time. Which backup of the database it belongs to is left to
its place in the log, by which pgBackRest finds the one to start from. Ends with 1 when there is no point.
"""

from __future__ import annotations

import json
import sys
import time

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import take
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Filestore
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.restic import Repository
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE, System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

ANY = "by-lsn"


def main(path: str) -> int:
    """Take a point under the lock that the module holds, too."""
    with open(path, encoding="utf-8") as file:
        said = json.load(file)
    system = System()
    keys = ("directory", "estate", "parts", "timeout_s")
    name = time.strftime("%Y%m%dt%H%M%Sz", time.gmtime())
    wanted = take.Wanted(name=name, label=ANY, **{key: said[key] for key in keys})
    began = time.monotonic()
    try:
        _held = system.lock(f"{STATE}/filestore.lock")
        repository = Repository(said)
        if not repository.there():
            raise EstateError("there is no repository; run playbook filestore")

        def about() -> dict:
            return {**take.versions(system), **take.certificates(system, said["certificates"])}

        lost = take.take(wanted, repository, Filestore(said["database"]), about)
    except (EstateError, OSError) as err:
        sys.stdout.write(f"no recovery point: {err}\n")
        return 1
    took = time.monotonic() - began
    sys.stdout.write(f"recovery point {name} after {took:.0f} s; {len(lost.files)} files were lost before\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))

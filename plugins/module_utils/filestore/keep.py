# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's turn: forget what is old, prove the rest, write down what was found. Run by a timer on the keeper alone.

usage: python3 -m ansible_collections.retailerp.estate.plugins.module_utils.filestore.keep CONFIGURATION

It works on the store itself, past the gate, with an identity that the estate's other hosts do not have. Ends with 1
when anything did not hold; the unit has failed then, and the playbook verify says so (filestore_keeper_info).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.restic import Repository, RepositoryLocked
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

DAY_S = 86400
#: All contents are read once in so many turns.
PARTS = 28
TIMEOUT_S = 6 * 3600
#: Longer than a point takes, and than restic believes in the lock of a client that it cannot ask.
PATIENCE_S, ASK_EVERY_S = 2 * 3600, 60


def _alone(repository: Repository, work: Callable[[], None], wait: Callable[[float], None]) -> None:
    """Do what nobody else may be at work for. The lock of a client that was killed is stale after half an hour."""
    for _time in range(PATIENCE_S // ASK_EVERY_S):
        repository.unlock()
        try:
            return work()
        except RepositoryLocked:
            wait(ASK_EVERY_S)
    repository.unlock()
    return work()


def turn(
    repository: Repository, said: dict[str, Any], now: float, wait: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """One turn; what it did and found. said: keep_days, keep_least. Raises EstateError when something does not hold."""
    if not repository.there():
        return {"at": plan.iso(now), "points": 0, "forgotten": 0, "note": "there is no repository yet"}
    before = repository.snapshots()
    old = plan.expired(before, now, said["keep_days"] * DAY_S, said["keep_least"])
    if old:
        _alone(repository, lambda: repository.forget(old, TIMEOUT_S), wait)
    # restic ends with success when the store refuses to remove a snapshot: only reading again tells.
    after = repository.snapshots()
    stayed = {one.id for one in after} & set(old)
    if stayed:
        raise EstateError(
            f"{len(stayed)} snapshots were to be forgotten and are still there: may this identity delete?"
        )
    part = f"{int(now // DAY_S) % PARTS + 1}/{PARTS}"
    _alone(repository, lambda: repository.check(part, TIMEOUT_S), wait)
    ahead = [one.id[:8] for one in after if one.at > now + DAY_S]
    if ahead:
        raise EstateError(f"snapshots {', '.join(ahead)} say they are of the future: who made them, with which clock?")
    return {"at": plan.iso(now), "points": len(plan.points(after)), "forgotten": len(old), "read": part}


def main(path: str) -> int:
    """Take a turn and write its result to the file that the configuration names."""
    with open(path, encoding="utf-8") as file:
        said = json.load(file)
    now = time.time()
    try:
        found = {"ok": True, **turn(Repository(said), said, now)}
    # Whatever went wrong is written down, or yesterday's result would stay and say that all is well.
    except (EstateError, OSError, ValueError) as err:
        found = {"ok": False, "at": plan.iso(now), "error": str(err)}
    text = json.dumps(found, sort_keys=True)
    sys.stdout.write(text + "\n")
    partial = f"{said['result']}.new"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(partial, said["result"])
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))

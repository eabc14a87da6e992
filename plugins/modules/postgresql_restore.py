#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a cluster in place from its backups, and keeps what it replaces until the end is told."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_restore
short_description: Restore a PostgreSQL cluster in place, the old data kept aside
version_added: 0.2.0
description:
  - The playbook C(restore) puts the steps in order. Runs on the member that is to be primary.
  - C(staged) restores into a directory beside the old one while the old server goes on; that takes as long as the copy
    does, and as much room. C(restored) then stops the server, lets the new data take the old one's place, starts it and
    waits until recovery has ended and it takes writes, on a timeline of its own.
  - The old data lies beside it as C(main.estate-before) until C(finished) removes it, or C(back) lets it serve again. A
    second restore to anything else is refused meanwhile, unless the first never came out of recovery.
  - C(back) ends like a restore, with recovery. The old data serves on a timeline above all that the archive has, so
    that V(latest) means what is written from then on. A copy that did not take the data's place is removed by it.
  - Refused before anything is copied unless the file system has room for the largest backup and a tenth of it.
  - A copy that turns out to be of another major version is removed and refused before anything stops.
  - Interrupted anywhere, it is run again with the same options.
  - For servers that systemd starts, not for those of Patroni.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  member:
    description: This member's name.
    type: str
    required: true
  stanza:
    description: Name of the stanza.
    type: str
    required: true
  state:
    description: How far to go.
    type: str
    choices: [staged, restored, back, finished]
    required: true
  to:
    description: >-
      V(latest), a time with its offset from UTC (V(2026-11-28 14:05:00+01)), a backup's label (V(20261128-011636F)), or
      a place in the log (V(0/3000148)), which is the O(timeline)'s.
    type: str
    default: latest
  timeline:
    description: The timeline to follow, where an earlier restore or failover left one. Without it the newest.
    type: int
  store:
    description: >-
      Number of the store that the backup is read from, where the first is damaged. Without it the first that answers
      and has the backup.
    type: int
  processes:
    description: How many processes copy.
    type: int
    default: 2
  version:
    description: Major version of the server. Without it the one that the distribution packages.
    type: str
  port:
    description: TCP port, which also names the socket.
    type: int
    default: 5432
"""

EXAMPLES = r"""
- name: Restore to five past two
  retailerp.estate.postgresql_restore:
    member: db1
    stanza: shop
    state: restored
    to: 2026-11-28 14:05:00+01
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: recovery of db1, action: run, before: null, after: "ended at latest, takes writes"}
controls:
  description: What was checked; this module has none, M(retailerp.estate.postgresql_replication_info) has.
  returned: always
  type: list
  elements: dict
  sample: []
restore:
  description: >-
    How many C(seconds) each step took; whether a restore is C(through), that is, has ended while the old data is
    still kept, and when it C(ended); whether this one C(moves) the server, so that other members are stopped before;
    and, of a restore to V(latest) that ended before the end of the archive, because a segment is missing, what it did
    not come to (C(unreached)). The server serves all the same.
  returned: success
  type: dict
  sample:
    seconds: {stage: 41.2, stop: 1.1, place: 0.1, start: 2.0, recover: 12.4}
    through: true
    ended: "2026-11-28T14:22:10Z"
    moves: true
    unreached: null
"""

import contextlib
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    client,
    member,
    restore,
    restore_client,
    server,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

ARGUMENTS = {
    "member": {"type": "str", "required": True},
    "stanza": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["staged", "restored", "back", "finished"], "required": True},
    "to": {"type": "str", "default": "latest"},
    "timeline": {"type": "int"},
    "store": {"type": "int"},
    "processes": {"type": "int", "default": 2},
    "version": {"type": "str"},
    "port": {"type": "int", "default": 5432},
}


class Restore:
    """The capability: one cluster's data directory."""

    def __init__(self, params: dict, lock: int | None) -> None:
        self.params, self.lock = params, lock
        self.layout = server.Layout(params["version"])
        self.asked = restore.Asked(params["to"], params["timeline"], params["store"])
        self.seconds: dict[str, float] = {}
        self.told: dict[str, object] = {"seconds": self.seconds, "through": False, "ended": None, "unreached": None}

    def read(self) -> restore.Current:
        """The directories, the note and the server."""
        return restore_client.read(self.layout, self.params["member"])

    def plan(self, current: restore.Current) -> list[Change]:
        """Pure; see module_utils/postgresql/restore.py."""
        where = (self.layout.directory, self.layout.unit)
        changes = restore.plan(current, restore.Desired(self.params["state"], *where, self.asked))
        self.told.setdefault("moves", restore.moves(changes))
        return changes

    def apply(self, changes: list[Change]) -> None:
        """Carry out each step, and note how long it took."""
        for change in changes:
            began = time.monotonic()
            getattr(self, f"_{change.data}")()
            self.seconds[change.data] = round(time.monotonic() - began, 1)

    def controls(self, current: restore.Current) -> list[Control]:
        """None: what must hold is postgresql_replication_info's. Notes whether this restore is through."""
        self.told.update(through=current.kept and current.done, ended=current.ended, unreached=current.unreached)
        return []

    def _stage(self) -> None:
        restore_client.stage(self.layout, self.params["stanza"], self.asked, self.params["processes"], self.lock)

    def _fence(self) -> None:
        member.fence(f"{self.params['member']} {restore_client.FENCED}")

    def _stop(self) -> None:
        server.systemctl("stop", self.layout.unit)

    def _place(self) -> None:
        restore_client.place(self.layout)

    def _unfence(self) -> None:
        member.unfence()

    def _start(self) -> None:
        # The playbook has seen the others stopped.
        member.permit()
        # Why it does not start is told by what waits for it.
        with contextlib.suppress(EstateError):
            server.systemctl("start", self.layout.unit)

    def _recover(self) -> None:
        where = (self.layout, self.params["stanza"])
        restore_client.recover(*where, self.params["port"])
        # To any other target, recovery fails where the log ends before it.
        restore_client.end(restore_client.unreached(*where) if self.asked.kind == restore.LATEST else None)

    def _unplace(self) -> None:
        restore_client.unplace(self.layout, self.params["stanza"])

    def _return(self) -> None:
        restore_client.recover(self.layout, self.params["stanza"], self.params["port"])
        restore_client.end_back()

    def _drop(self) -> None:
        restore_client.drop(self.layout)

    def _sweep(self) -> None:
        restore_client.sweep(self.layout)

    def _serve(self) -> None:
        client.connect(self.params["port"], wait_s=server.READY_WAIT_S).close()

    def _finish(self) -> None:
        restore_client.finish(self.layout)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def make(lock: int | None) -> tuple[Restore, dict]:
        capability = Restore(module.params, lock)
        return capability, {"restore": capability.told}

    # The same lock as postgresql_cluster's: both work on the data directory.
    runner.run_holding(module, "postgresql_cluster", make)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's steps of an upgrade of PostgreSQL to another major version, of its rehearsal and of the way back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_major_upgrade
short_description: Upgrade a member's cluster to another major version, or take that back
version_added: 0.2.0
description:
  - One step of the playbook C(pg_major_upgrade), which puts the steps of all members in order.
  - >-
    C(pg_upgrade) copies (or clones, where the file system can); the old data directory is not changed. A new cluster is
    made beside its place, started on a socket that only C(postgres) reaches, compared, and renamed into place when it
    is whole. The old one is kept as C(main.estate-kept) beside its place until O(state=finished).
  - Neither writes configuration nor starts the server that is in place; M(retailerp.estate.config_set) does both.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_member
options:
  to:
    description: The major version that is to serve.
    type: str
    required: true
  port:
    description: TCP port, which also names the socket.
    type: int
    default: 5432
  state:
    description:
      - C(found) reads where the member stands. C(checked) refuses what cannot be upgraded.
      - C(rehearsed) upgrades a copy of the primary's data beside a standby's, compares it, and throws it away.
      - C(parked) stops a standby that has everything up to O(up_to).
      - C(upgraded) puts the new cluster in place of a stopped primary's. C(aside) puts a standby's old cluster aside.
      - C(back) puts the old cluster in place again. C(analyzed) makes the new one's statistics.
      - C(finished) removes what was kept, and the programs of other versions.
    type: str
    choices: [found, checked, rehearsed, parked, upgraded, aside, back, analyzed, finished]
    required: true
  up_to:
    description: The C(last_record) of the primary that was stopped.
    type: str
  automatic:
    description: Whether C(back) is refused once the new server has run, since it may have taken writes.
    type: bool
    default: false
  rehearsals:
    description: The C(rehearsed) of all members. With it C(checked) wants one that stands for this upgrade.
    type: list
    elements: dict
  locale:
    description: What the new cluster is made with (C(encoding), C(collate), C(ctype)), as it was for the old one.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: See where db1 stands
  retailerp.estate.postgresql_major_upgrade:
    state: found
    to: "17"
    member: db1
    members: {db1: 10.77.0.31, db2: 10.77.0.32}
    replication_user: shop_replication
    replication_password: "{{ estate_secrets.postgresql_replication }}"
    ca_file: /etc/estate/tls/postgresql/ca.pem
    locale: {encoding: UTF8, collate: C, ctype: C.UTF-8}
"""

RETURN = r"""
upgrade:
  description: >-
    Where the member stands. C(live) is the version in place, C(kept) one put aside for the way back, C(role) the role
    it has, or had before the upgrade; C(rehearsed) the last rehearsal here, C(told) what this step found out,
    C(since) when the new version came.
  returned: success
  type: dict
  sample:
    live: "15"
    kept: null
    role: primary
    running: true
    fenced: false
    rehearsed: null
    since: null
    told: {}
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: cluster 17, action: create, before: null, after: pg_upgrade from 15}
controls:
  description: None; M(retailerp.estate.postgresql_replication_info) has them.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import contextlib
import os
import shutil
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import Packages
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    member,
    server,
    status,
    upgrade,
    upgrade_make,
    upstream,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import upgrade_client as steps
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import beyond
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

PARK_S = 30


class Major:
    """The capability: one member's step. `answer` holds what is told besides changes."""

    def __init__(self, params: dict, lock: int | None) -> None:
        self.params, self.lock = params, lock
        self.new = server.Layout(params["to"])
        self.upstream = upstream.of({**params, "version": params["to"]})
        self.desired = upgrade.Desired(params["state"], params["member"], params["to"], params["automatic"])
        self.told: dict = {}
        self.answer: dict = {"told": self.told}
        self._done = False

    def read(self) -> upgrade.Found:
        """The directories of all versions, and the server in place."""
        live, kept = server.versions_of(), server.versions_of(server.KEPT)
        here = server.Layout(live[0]) if live else None
        note = steps.read_note(steps.STAMP)
        control = (server.control_data(here) or {}) if here else {}
        running = here is not None and server.is_running(here)
        known = sorted({*live, *kept, self.new.version})
        # In check mode the packages would be there and the primary stopped by now.
        foretell = self.lock is None and self.params["state"] == upgrade.UPGRADED
        found = upgrade.Found(
            live=tuple(live),
            kept=tuple(kept),
            undone=tuple(server.versions_of(steps.UNDONE)),
            role={
                **{version: steps.role_in(steps.aside(server.Layout(version), server.KEPT)) for version in kept},
                **{version: steps.role_in(server.Layout(version).directory) for version in live},
            },
            running=running and not foretell,
            active=here is not None and server.is_active(here.unit) and not foretell,
            fenced=member.is_fenced() or foretell,
            built=steps.is_made_of(self.new.staging, control.get("Latest checkpoint location")),
            boots=frozenset(version for version in known if steps.boots(version)),
            retired=frozenset(version for version in known if steps.retired(version)),
            pristine=not running
            and control.get("Database cluster state") == "shut down"
            and control.get("Latest checkpoint location") == note.get("checkpoint"),
            installed=steps.installed() | ({self.new.version} if self.lock is None else set()),
            leftovers=tuple(path for path in (self.new.staging, *upgrade_make.copies()) if os.path.exists(path)),
            state="shut down" if foretell else control.get("Database cluster state"),
            analyzed=bool(note.get("analyzed")),
            rehearsed=steps.read_note(steps.REHEARSAL) or None,
        )
        self.answer.update(
            live=live[0] if live else None,
            kept=kept[-1] if kept else None,
            role=found.role.get(upgrade.old_version(found, self.new.version) or self.new.version),
            running=found.running,
            fenced=found.fenced,
            rehearsed=found.rehearsed,
            since=note.get("since"),
        )
        return found

    def plan(self, current: upgrade.Found) -> list[Change]:
        """Pure; see module_utils/postgresql/upgrade.py."""
        if self.params["state"] == upgrade.CHECKED:
            self._check(current)
        return [] if self._done else upgrade.plan(current, self.desired)

    def apply(self, changes: list[Change]) -> None:
        """Carry out each step."""
        for change in changes:
            step, *rest = change.data
            getattr(self, f"_{step}")(*rest)

    def controls(self, current: upgrade.Found) -> list[Control]:
        """None: what must hold is postgresql_replication_info's."""
        return []

    # What refuses

    def _situation(self, old: server.Layout) -> upgrade.Situation:
        said = steps.ask(self.params["port"])
        self.told["data_bytes"] = steps.size_of(old.directory)
        return upgrade.Situation(
            extensions=said["extensions"],
            available=steps.extensions_for(self.new.version),
            prepared=said["prepared"],
            logical_slots=said["logical_slots"],
            tablespaces=tuple(said["tablespaces"]),
            data_bytes=self.told["data_bytes"],
            free_bytes=steps.free_bytes(),
            clone=steps.can_clone(),
        )

    def _check(self, current: upgrade.Found) -> None:
        old = upgrade.old_version(current, self.new.version)
        if old is None or current.live != (old,):
            return
        reasons = []
        if self.new.version in steps.installed():
            reasons += upgrade.refusals(self._situation(server.Layout(old)), self.new.version)
        if self.params["rehearsals"] is not None:
            packages = self._packages(old)
            made = [told for told in self.params["rehearsals"] if told]
            lacks = upgrade.rehearsal_refusals(made, old, self.new.version, packages, time.time())
            reasons += (
                [f"no rehearsal stands for this upgrade ({'; '.join(lacks)}): run with -e rehearse=true"]
                if lacks
                else []
            )
        if reasons:
            raise EstateError(f"{self.params['member']} is not upgraded: {'; '.join(reasons)}")

    def _packages(self, old: str) -> dict[str, str]:
        """The versions of both servers' packages: a rehearsal with others proves nothing."""
        names = [f"postgresql-{version}" for version in (old, self.new.version)]
        code, out, _err = System().run(["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *names])
        return dict(line.split() for line in out.splitlines()) if code == 0 else {}

    # What is carried out

    def _maker(self, old: str) -> upgrade_make.Maker:
        layout = server.Layout(old)
        return upgrade_make.Maker(layout, self.new, self.params["locale"], self.lock or -1, self.told)

    def _rehearse(self, old: str) -> None:
        self._maker(old).rehearse(self._situation(server.Layout(old)), self.upstream)
        packages, seconds = self._packages(old), self.told["seconds"]
        told = {"from": old, "to": self.new.version, "packages": packages, "seconds": seconds, "at": int(time.time())}
        steps.note(steps.REHEARSAL, told)
        self._done = True

    def _build(self, old: str) -> None:
        layout = server.Layout(old)
        self._maker(old).make(layout.directory, self.new.staging, False)
        checkpoint = upgrade_make.control(self.new, self.new.staging)["Latest checkpoint location"]
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        steps.note(steps.STAMP, {"from": old, "to": self.new.version, "checkpoint": checkpoint, "since": since})
        steps.mark(self.new.staging, upgrade_make.control(layout, layout.directory)["Latest checkpoint location"])

    def _keep(self, old: str) -> None:
        layout = server.Layout(old)
        steps.move(layout.directory, steps.aside(layout, server.KEPT))

    def _place(self) -> None:
        steps.move(self.new.staging, self.new.directory)
        os.unlink(f"{self.new.directory}/{steps.WHOLE}")

    def _retire(self, old: str, serves: str) -> None:
        steps.retire(old, serves)

    def _undo(self) -> None:
        steps.move(self.new.directory, steps.aside(self.new, steps.UNDONE))
        steps.forget(steps.STAMP)

    def _restore(self, old: str) -> None:
        layout = server.Layout(old)
        steps.move(steps.aside(layout, server.KEPT), layout.directory)

    def _fence(self) -> None:
        # A standby is fenced once it has what the primary wrote: nobody sends it more.
        if self.params["up_to"]:
            self._wait(self.params["up_to"])
        member.fence(f"{self.params['member']} was fenced by postgresql_major_upgrade")

    def _wait(self, up_to: str) -> None:
        layout, deadline = server.Layout(self.answer["live"]), time.monotonic() + PARK_S
        while True:
            _instance, state = status.read(layout, self.params["member"], self.params["port"])
            record = None if state is not None else member.last_record(layout)
            position = state.position if state is not None else record and record.end
            if beyond(position, up_to):
                return
            if state is None or time.monotonic() > deadline:
                raise EstateError(
                    f"{self.params['member']} is at {position}, without the primary's last record at {up_to}"
                )
            time.sleep(0.2)

    def _stop(self, version: str) -> None:
        server.systemctl("stop", server.Layout(version).unit)

    def _unfence(self) -> None:
        member.unfence()
        if any(steps.role_in(server.Layout(version).directory) == PRIMARY for version in server.versions_of()):
            # This run has seen all members: the server need not ask them, none of which runs.
            member.permit()

    def _analyze(self) -> None:
        began = time.monotonic()
        steps.analyze(self.new, self.params["port"], self.lock)
        steps.note(steps.STAMP, {**steps.read_note(steps.STAMP), "analyzed": True})
        self.told["seconds"] = {"analyze": round(time.monotonic() - began, 1)}

    def _remove(self, version: str, kind: str) -> None:
        path = steps.aside(server.Layout(version), kind)
        shutil.rmtree(path)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))

    def _clean(self) -> None:
        steps.end_leftover(self.new, self.new.staging)
        shutil.rmtree(self.new.staging, ignore_errors=True)
        self._maker(self.new.version).clear()

    def _purge(self, version: str) -> None:
        layout = server.Layout(version)
        shutil.rmtree(f"/etc/postgresql/{version}", ignore_errors=True)
        shutil.rmtree(f"/etc/systemd/system/{layout.unit}.d", ignore_errors=True)
        Packages([], [], System()).remove([f"postgresql-{version}", f"postgresql-client-{version}"])
        server.run(["systemctl", "daemon-reload"], "systemctl daemon-reload", (), as_user=None)
        steps.forget(steps.REHEARSAL)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "to": {"type": "str", "required": True},
            "port": server.ARGUMENTS["port"],
            **upstream.ARGUMENTS,
            "state": {
                "type": "str",
                "choices": [
                    *("found", "checked", "rehearsed", "parked", "upgraded", "aside", "back", "analyzed", "finished")
                ],
                "required": True,
            },
            "up_to": {"type": "str"},
            "automatic": {"type": "bool", "default": False},
            "rehearsals": {"type": "list", "elements": "dict"},
            "locale": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )

    def make(lock: int | None) -> tuple[Major, dict]:
        capability = Major(module.params, lock)
        return capability, {"upgrade": capability.answer}

    # The same lock as postgresql_cluster's. Whoever only looks waits as well: the module of a run that was killed may
    # still be at work.
    runner.run_holding(module, "postgresql_cluster", make)


if __name__ == "__main__":
    main()

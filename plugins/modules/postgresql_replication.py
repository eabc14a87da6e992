#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves one member of a PostgreSQL cluster between roles, and refuses where that could lose an acknowledged write."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_replication
short_description: Fence, promote or bring back a member of a PostgreSQL cluster
version_added: 0.2.0
description:
  - One step of a switchover, a failover or a rejoin; the playbooks of these names put the steps in order.
  - >-
    A fenced member is stopped and stays so - its unit has a condition that no boot, no restart and no package upgrade
    overcomes - until it is resumed or has become a standby.
  - >-
    A standby is promoted once it has replayed O(up_to), or, after the loss of a primary, when O(failover) leaves no
    doubt - nothing else can take writes, and everything acknowledged is here, or its price was named.
  - >-
    A member that comes back follows the primary if the primary's history includes all it ever wrote. One that went its
    own way is refused, with the position at which they parted, unless O(rejoin) says what to do with its data.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_server
  - retailerp.estate.postgresql_member
options:
  state:
    description:
      - C(fenced) stops the member for good. C(resumed) undoes that and nothing else.
      - >-
        With O(failover) C(fenced) refuses a primary that a standby streams from, and kills the server if it does not
        stop within seconds; C(resumed) then starts it without asking the others, so only after nobody was promoted.
      - C(primary) promotes a running standby and makes the slots of all other members.
      - C(standby) lets it follow the primary that it finds among O(members).
      - C(settled) leaves it in its role. A primary waits for its standbys again where O(durability) says so.
    type: str
    choices: [fenced, resumed, primary, standby, settled]
    required: true
  durability:
    description: >-
      The estate's choice. With C(strict) a primary is made to wait for standbys as soon as one streams, and writes a
      proof of that; after a failover that left no standby it goes on without, until one is back. The proof is taken
      back once C(synchronous_standby_names) is empty, or a setting of the server, a database or a role lets commits
      not wait.
    type: str
    choices: [strict, available]
    default: available
  wait_s:
    description: For how many seconds a primary waits for a standby that has yet to connect.
    type: float
    default: 0
  successor:
    description: >-
      The standby that is to take over. With it a running primary is fenced only if that standby streams from it and is
      at most 16 MiB behind. With C(standby) check mode foretells what following it will take, once it has taken over.
    type: str
  up_to:
    description: >-
      The C(last_record) of the primary that was fenced. The standby must have replayed beyond it before it is
      promoted; it is waited for 30 seconds.
    type: str
  failover:
    description: >-
      What is known of the other members when the primary was lost. Without it and O(up_to) nothing is promoted.
    type: dict
    suboptions:
      found:
        description: What M(retailerp.estate.postgresql_replication_info) returned for each member that was reached.
        type: list
        elements: dict
        default: []
      fences:
        description: >-
          By member, why it takes no writes (C(proof)), and C(timeline) and C(log_end) of its disk, if not C(pending).
        type: dict
        default: {}
      accept_data_loss:
        description: The position this standby has received, in words of the operator, when later writes may be lost.
        type: str
  rejoin:
    description: >-
      What may be done to data that the primary never had. C(never) refuses; C(rewind) gives it up and copies what
      differs; C(clone) gives it up and copies everything; C(anew) copies everything even where it could just follow.
    type: str
    choices: [never, rewind, clone, anew]
    default: never
"""

EXAMPLES = r"""
- name: Stop the primary for a switchover
  retailerp.estate.postgresql_replication:
    state: fenced
    member: db1
    members: {db1: 10.77.0.31, db2: 10.77.0.32}
    version: "17"
    replication_user: shop_replication
    replication_password: "{{ estate_secrets.postgresql_replication }}"
    ca_file: /etc/estate/tls/postgresql/ca.pem
"""

RETURN = r"""
log:
  description: >-
    The log here, by its C(timeline). Of a stopped member, where the last whole record begins (C(last_record)) and ends
    (C(log_end)); of a running standby, how far it has received (C(position)).
  returned: success
  type: dict
  sample: {last_record: 0/3000148, log_end: 0/30001C0, timeline: 1, position: null}
refused:
  description: That the member is not one to be fenced; missing where its host fails.
  returned: when C(fenced) with O(failover) is refused
  type: bool
  sample: true
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: member db2, action: update, before: standby, after: primary}
controls:
  description: None. M(retailerp.estate.postgresql_replication_info) has them.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import contextlib
import time
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    client,
    failover,
    health,
    member,
    replication,
    server,
    status,
    upstream,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access import slot_name
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY, STANDBY, Instance
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import beyond
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

REPLAY_S = 30


class Replication:
    """The capability: one member's role. `log` holds what the last read saw, for the answer."""

    def __init__(self, params: dict, lock: int | None) -> None:
        self.params, self.lock = params, lock
        self.check_mode = lock is None
        self.others = tuple(name for name in params["members"] if name != params["member"])
        self.layout = server.Layout.of(params)
        self.upstream = upstream.of(params)
        self.leader: replication.Leader | None = None
        self.log: dict = {}
        self.desired = replication.Desired(
            state=params["state"],
            unit=self.layout.unit,
            directory=self.layout.directory,
            others=self.others,
            rejoin=params["rejoin"],
            successor=params["successor"],
            strict=params["durability"] == failover.STRICT,
            lost=params["failover"] is not None,
            alone=params["failover"] is not None and not self._standbys(params),
        )

    def read(self) -> replication.Own:
        """The member; of a stopped one the end of its log, of a running one its slots and position."""
        instance, state = self._look()
        own = replication.Own(
            instance,
            member.is_fenced(),
            server.is_active(self.layout.unit),
            slots=member.slots(self.layout),
            history=member.history(self.layout, instance.timeline or 1),
        )
        self.log.update(timeline=instance.timeline, last_record=None, log_end=None, position=state and state.position)
        if self.check_mode and self.desired.state == STANDBY and self.desired.successor and instance.role == PRIMARY:
            # A switchover foretold: by then it is stopped and fenced, and the successor has all it wrote.
            self.leader = replication.Leader(instance.system_identifier, instance.timeline, own.history)
            return replace(own, instance=replace(instance, running=False), fenced=True, active=False)
        if self.desired.state == STANDBY and self.leader is None:
            self.leader = self.upstream.leader()
        if state is not None:
            degraded = member.is_degraded(self.layout)
            return replace(
                own,
                links=health.links(state),
                position=state.position,
                degraded=degraded,
                shortfalls=health.kept_from_waiting(state, degraded),
                proven=state.summary["proven_timeline"],
            )
        torn = member.is_torn(self.layout)
        lost_primary = self.desired.lost and instance.running and instance.role == PRIMARY
        record = None if torn or instance.running else member.last_record(self.layout)
        if record:
            self.log.update(last_record=record.begin, log_end=record.end)
        return replace(
            own,
            last_record=self.log["last_record"],
            torn=torn,
            links=dict.fromkeys(member.followers(self.params["port"]), 0) if lost_primary else {},
        )

    def plan(self, current: replication.Own) -> list[Change]:
        """Pure; see module_utils/postgresql/replication.py and failover.py."""
        changes = replication.plan(current, self.desired, self.leader)
        if any(change.data == "promote" for change in changes):
            self._refuse(current.instance)
        return changes

    def apply(self, changes: list[Change]) -> None:
        """Carry out each step."""
        for change in changes:
            getattr(self, f"_{change.data}")()

    def controls(self, current: replication.Own) -> list[Control]:
        """None: what must hold is postgresql_replication_info's."""
        return []

    def _refuse(self, instance: Instance) -> None:
        """Raise EstateError where a promotion could lose an acknowledged write."""
        known, up_to = self.params["failover"], self.params["up_to"]
        if not (self.check_mode and known is None):
            self._refuse_second(instance)
        if known is not None:
            situation = failover.situation(
                {"instance": vars(instance), "status": status.summary_of(self._status())},
                known["found"],
                self.others,
                known["fences"],
                self.params["durability"],
            )
            reasons = failover.refusals(situation, known["accept_data_loss"], foreseen=self.check_mode)
            if reasons:
                raise EstateError(f"{instance.name} is not promoted: " + "; ".join(reasons))
        elif up_to is None:
            raise EstateError(
                f"{instance.name} is not promoted: neither up_to nor failover says that this loses nothing"
            )

    def _refuse_second(self, instance: Instance) -> None:
        """The last line of defence: whatever was said of the others, none of them may answer as primary now."""
        fenced = (self.params["failover"] or {}).get("fences", {})
        rest = {name: at for name, at in self.params["members"].items() if name not in fenced}
        if not set(rest) & set(self.others):
            return
        try:
            replace(self.upstream, members=rest).identify()
        except EstateError:
            return
        raise EstateError(
            f"{instance.name} is not promoted: another member is primary and takes writes; fence it first"
        )

    def _standbys(self, params: dict) -> list[str]:
        """The other members that were seen to run as standbys."""
        found = [info["instance"] for info in params["failover"]["found"]]
        return [
            one["name"] for one in found if one["role"] == STANDBY and one["running"] and one["name"] in self.others
        ]

    def _look(self) -> tuple[Instance, health.Status | None]:
        """The member now; a primary is given time to see its standbys. One to be fenced for good need not answer."""
        if self.params["state"] == replication.FENCED and self.params["successor"] is None:
            return server.read_instance(self.layout, self.params["member"]), None
        where = (self.layout, self.params["member"], self.params["port"])
        found = status.read(*where)
        deadline = time.monotonic() + self.params["wait_s"]
        while (
            found[1] and not found[1].summary["standby"] and not health.links(found[1]) and time.monotonic() < deadline
        ):
            time.sleep(0.5)
            found = status.read(*where)
        return found

    def _status(self) -> health.Status | None:
        return status.read(self.layout, self.params["member"], self.params["port"])[1]

    def _promote(self) -> None:
        up_to = self.params["up_to"]
        if up_to is not None and self.params["failover"] is None:
            deadline = time.monotonic() + REPLAY_S
            while not beyond(position := self._status().summary["replay_lsn"], up_to):
                if time.monotonic() > deadline:
                    raise EstateError(
                        f"{self.params['member']} has {position}, the primary wrote a record at {up_to}; not promoted"
                    )
                time.sleep(0.1)
        member.promote(self.layout, self.params["port"])

    def _slots(self) -> None:
        member.make_slots(self.params["port"], self._slot_names() - member.slots(self.layout))

    def _drop_slots(self) -> None:
        member.drop_slots(self.params["port"], self._slot_names() & member.slots(self.layout))

    def _slot_names(self) -> frozenset[str]:
        return frozenset(slot_name(name) for name in self.desired.others)

    def _fence(self) -> None:
        # What is still to be written to disk is written while the server answers, not while it is stopping.
        instance = server.read_instance(self.layout, self.params["member"])
        if self.params["successor"] and instance.running and instance.role == PRIMARY:
            with contextlib.suppress(EstateError), client.connect(self.params["port"]) as connection:
                client.execute(connection, "CHECKPOINT", "checkpoint before the stop")
        member.fence(f"{self.params['member']} was fenced by postgresql_replication")

    def _halt(self) -> None:
        server.halt(self.layout)

    def _permit(self) -> None:
        member.permit()

    def _stop(self) -> None:
        server.systemctl("stop", self.layout.unit)

    def _degrade(self) -> None:
        member.degrade(self.layout, self.params["port"])

    def _restore(self) -> None:
        member.restore(self.layout, self.params["port"])

    def _prove(self) -> None:
        member.prove(self.params["port"])

    def _revoke(self) -> None:
        member.revoke(self.params["port"])

    def _unfence(self) -> None:
        member.unfence()

    def _start(self) -> None:
        server.systemctl("start", self.layout.unit)
        client.connect(self.params["port"], wait_s=server.READY_WAIT_S).close()

    def _follow(self) -> None:
        member.follow(self.layout)
        member.undegrade(self.layout)

    def _rewind(self) -> None:
        with self.upstream.passfile() as passfile:
            member.rewind(self.layout, self.upstream.conninfo(), passfile, self.lock)

    def _clone(self) -> None:
        server.systemctl("stop", self.layout.unit)
        with self.upstream.passfile() as passfile:
            slot = slot_name(self.params["member"])
            server.clone(self.layout, self.upstream.conninfo(), slot, passfile, self.lock)
        member.whole(self.layout)
        # A copy that is asked for whatever the member holds is made once.
        self.desired = replace(self.desired, rejoin=replication.CLONE)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **server.ARGUMENTS,
            **upstream.ARGUMENTS,
            "state": {
                "type": "str",
                "required": True,
                "choices": ["fenced", "resumed", "primary", "standby", "settled"],
            },
            "durability": {"type": "str", "choices": ["strict", "available"], "default": "available"},
            "wait_s": {"type": "float", "default": 0},
            "successor": {"type": "str"},
            "up_to": {"type": "str"},
            "failover": {"type": "dict", "options": failover.ARGUMENTS},
            "rejoin": {"type": "str", "choices": ["never", "rewind", "clone", "anew"], "default": "never"},
        },
        supports_check_mode=True,
    )

    def make(lock: int | None) -> tuple[Replication, dict]:
        capability = Replication(module.params, lock)
        return capability, {"log": capability.log}

    # The same lock as postgresql_cluster's: both work on the data directory.
    runner.run_holding(module, "postgresql_cluster", make)


if __name__ == "__main__":
    main()

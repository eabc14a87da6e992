# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Patroni cluster is told, for a named choice of how fast it fails over.

A lost leader is replaced when its key has run out: after ttl, less the time since it was last renewed (at most
loop_wait), plus two to three seconds (a member that is gone is asked for two, then one is promoted). So a longer
loop_wait shortens the wait for a lost host, and lengthens that for a crashed server, which is noticed once a loop.
Where the lost host led etcd, too, the whole ttl begins anew: the role etcd sees to it that it does not.

Patroni's smallest ttl is 20 s, and ttl must be at least loop_wait plus twice retry_timeout
(patroni.readthedocs.io/en/latest/patroni_configuration.html); so a leader that cannot reach the voters steps down
before another one leads.
"""

from __future__ import annotations

TIMINGS = {
    # A lost host: writes again after 14 to 24 s. A crash is noticed within loop_wait. The price: five seconds without
    # an answer from the voters, and the leader steps down, so a busy or stuttering network fails over for nothing.
    "fast": {"ttl": 20, "loop_wait": 8, "retry_timeout": 5, "primary_start_timeout": 5},
    # Patroni's defaults, but for primary_start_timeout (300 s there): a lost host after 20 to 34 s, and ten seconds of
    # silence cost nothing. A crash is given half a minute to recover where it was.
    "steady": {"ttl": 30, "loop_wait": 10, "retry_timeout": 10, "primary_start_timeout": 30},
}
API_PORT = 8008
GIVEN = ("max_connections", "max_wal_senders", "max_replication_slots", "max_worker_processes")
"""Settings of the plan that Patroni gives every server on its command line, so that no standby undercuts its leader."""


def plan(spec: dict, settings: dict, voters: list) -> dict:
    """The slice of a member: name of the cluster, where the voters are, and the cluster's dynamic configuration."""
    return {
        "scope": spec["id"],
        "api_port": API_PORT,
        "voters": voters,
        "settings": {
            **TIMINGS[spec["postgresql"]["rto"]],
            # As long as every member answers the leader, it goes on leading without the voters.
            "failsafe_mode": True,
            "check_timeline": True,
            "maximum_lag_on_failover": 1048576,
            # A commit waits for any one standby, and of those that answer the one that has most is promoted: the
            # others follow it without a rewind. Strict: without a standby, writes wait; otherwise the leader goes on
            # alone, and nobody is promoted in its place.
            "synchronous_mode": "quorum",
            "synchronous_mode_strict": spec["postgresql"]["durability"] == "strict",
            "postgresql": {
                "use_pg_rewind": True,
                "use_slots": True,
                # Patroni rewinds a member that wrote what nobody else has, which nobody was promised. A directory that
                # it cannot rewind is thrown away by an operator only.
                "remove_data_directory_on_rewind_failure": False,
                "remove_data_directory_on_diverged_timelines": False,
                "parameters": {
                    "wal_level": "replica",
                    "hot_standby": "on",
                    "wal_keep_size": "256MB",
                    **{name: settings[name] for name in GIVEN},
                },
            },
        },
    }

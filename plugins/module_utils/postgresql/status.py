# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running server says of itself. Reads only; the judgement is in health.py."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import READY, Instance
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.health import (
    DURABLE,
    Status,
    replicating,
    shortfalls,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

TIMELINE = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS timeline"
SUMMARY = """
SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS standby,
       current_setting('transaction_read_only') AS read_only, current_setting('ssl') AS ssl,
       current_setting('ssl_min_protocol_version') AS ssl_min_protocol,
       current_setting('data_checksums') AS data_checksums,
       current_setting('password_encryption') AS password_encryption,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connections,
       current_setting('max_connections')::int AS max_connections,
       CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn()::text END AS current_lsn,
       CASE WHEN pg_is_in_recovery()
            THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text END AS position,
       current_setting('synchronous_standby_names') AS synchronous_standby_names,
       (SELECT substring(entry FROM '=(.*)$')::int FROM pg_db_role_setting, unnest(setconfig) AS entry
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'postgres') AND setrole = 0
          AND entry LIKE 'estate.proven_timeline=%') AS proven_timeline,
       pg_last_wal_receive_lsn()::text AS receive_lsn, pg_last_wal_replay_lsn()::text AS replay_lsn,
       CASE WHEN NOT pg_is_in_recovery() THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
            ELSE greatest((SELECT received_tli FROM pg_stat_wal_receiver),
                          (SELECT timeline_id FROM pg_control_checkpoint()))
       END AS timeline
"""
VITALS = """
SELECT (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir())::bigint AS wal_bytes,
       (SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database)::bigint AS checksum_failures,
       (SELECT to_json(t) FROM (SELECT extract(epoch FROM now() - xact_start)::float AS seconds, pid, usename AS role,
                                       application_name AS application
        FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
        ORDER BY xact_start LIMIT 1) t) AS oldest_transaction,
       (SELECT to_json(t) FROM (SELECT extract(epoch FROM now() - state_change)::float AS seconds, pid, usename AS role,
                                       application_name AS application
        FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'
        ORDER BY state_change LIMIT 1) t) AS oldest_idle,
       transaction_age, multixact_age,
       ceil(100 * greatest(transaction_age / current_setting('autovacuum_freeze_max_age')::float,
                           multixact_age / current_setting('autovacuum_multixact_freeze_max_age')::float))::int
       AS freeze_percent,
       ceil(100 * greatest(transaction_age, multixact_age) / 2147483648.0)::int AS wraparound_percent
FROM (SELECT max(age(datfrozenxid)) AS transaction_age, max(mxid_age(datminmxid)) AS multixact_age
      FROM pg_database) ages
"""
"""What is watched besides replication. The limits are in health.py, what to do in docs/monitoring-postgresql.md."""
REPLICATION = """
SELECT r.application_name AS member, host(r.client_addr) AS address, r.state, r.sync_state,
       s.ssl, s.version AS tls_version,
       r.replay_lsn::text AS replay_lsn,
       pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(r.replay_lsn, r.sent_lsn))::bigint AS lag_bytes,
       coalesce(extract(epoch FROM r.replay_lag), 0)::float AS lag_seconds
FROM pg_stat_replication r JOIN pg_stat_ssl s USING (pid) WHERE r.application_name <> 'pg_basebackup' ORDER BY 1
"""
SLOTS = """
SELECT slot_name::text AS name, active, wal_status, safe_wal_size::bigint AS safe_wal_bytes,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                       restart_lsn)::bigint AS kept_bytes
FROM pg_replication_slots ORDER BY 1
"""
RECEIVER = """
SELECT status, sender_host AS member, slot_name::text AS slot, conninfo LIKE '%sslmode=verify-full%' AS verify_full,
       latest_end_lsn::text AS latest_end_lsn,
       CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END::float AS lag_seconds,
       pg_wal_lsn_diff(coalesce(latest_end_lsn, flushed_lsn),
                       coalesce(pg_last_wal_replay_lsn(), flushed_lsn))::bigint AS lag_bytes
FROM pg_stat_wal_receiver
"""
"""An idle primary takes seconds to say where its WAL ends; until then what was received is all that is known."""
WITHOUT_TLS = """
SELECT count(*)::int AS n FROM pg_hba_file_rules WHERE type IN ('host', 'hostnossl') AND auth_method <> 'reject'
"""
ERRORS = """
SELECT sourcefile || ':' || sourceline || ': ' || error AS error FROM pg_file_settings
WHERE error IS NOT NULL AND error <> 'setting could not be applied'
UNION ALL SELECT 'pg_hba.conf:' || line_number || ': ' || error FROM pg_hba_file_rules WHERE error IS NOT NULL
"""
DURABILITY = """
SELECT lower(name) AS name, value, place FROM (
    SELECT name, setting AS value, 'in force' AS place FROM pg_settings
    UNION ALL
    (SELECT DISTINCT ON (lower(name)) name, setting, sourcefile || ':' || sourceline FROM pg_file_settings
     ORDER BY lower(name), seqno DESC)
    UNION ALL
    SELECT split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1),
           coalesce(nullif(concat_ws(', ', 'database ' || datname, 'role ' || rolname), ''), 'every role')
    FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_roles r ON r.oid = setrole,
         unnest(setconfig) AS entry
) AS said WHERE lower(name) = ANY(%s) ORDER BY 1, 3
"""
"""Every place that has a say in them: what is in force, the file that wins (and will, once it is read again), and what
databases and roles have of their own."""


def read(layout: server.Layout, member: str, port: int) -> tuple[Instance, Status | None]:
    """The member as it lies on disk, and what its server says; None when it is not running."""
    instance = server.read_instance(layout, member)
    if instance.data != READY or not instance.running:
        return instance, None
    # Without this program's own synchronous_commit: the server's is judged. Reading waits for no standby.
    with client.connect(port, wait_s=30, options=client.QUIET) as connection:
        summary = client.row(connection, SUMMARY)
        standby = summary["standby"]
        receivers = client.rows(connection, RECEIVER) if standby else []
        status = Status(
            summary=summary,
            vitals={**client.row(connection, VITALS), **server.wal_space(layout)},
            replication=() if standby else tuple(client.rows(connection, REPLICATION)),
            slots=tuple(client.rows(connection, SLOTS)),
            receiver=receivers[0] if receivers else None,
            pending=server.pending(connection),
            errors=tuple(row["error"] for row in client.rows(connection, ERRORS)),
            rules_without_tls=client.row(connection, WITHOUT_TLS)["n"],
            durability=tuple(client.rows(connection, DURABILITY, list(DURABLE))),
        )
    # A standby whose primary is gone knows the timeline of its last restart point only; its history files know more.
    timeline = max(summary["timeline"], instance.timeline or 0)
    return replace(instance, role="standby" if standby else "primary", timeline=timeline), status


def wait(
    layout: server.Layout, member: str, port: int, standbys: tuple[str, ...], wait_s: float
) -> tuple[Instance, Status | None]:
    """read(), again and again until replication stands as it should or the time is over.

    A server that is down is waited for where Patroni is about to start it.
    """
    deadline = time.monotonic() + wait_s
    while True:
        instance, status = read(layout, member, port)
        to_be_started = layout.manager == "patroni" and instance.data == READY
        settled = replicating(status, standbys) if status else not to_be_started
        if settled or time.monotonic() >= deadline:
            return instance, status
        time.sleep(0.5)


def starved(layout: server.Layout, port: int) -> str | None:
    """Where a running standby waits for WAL that nobody sends; None when it is served or still busy."""
    waiting = """
    SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text AS position
    FROM pg_stat_activity WHERE backend_type = 'startup' AND pg_is_in_recovery()
     AND wait_event IN ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream')
     AND NOT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')
    """
    try:
        with client.connect(port, wait_s=5) as connection:
            found = client.rows(connection, waiting)
    except EstateError:
        return None
    return found[0]["position"] if found else None


def summary_of(status: Status) -> dict[str, Any]:
    """The status as it is returned to the operator."""
    return {
        **status.summary,
        "vitals": dict(status.vitals),
        "replication": list(status.replication),
        "slots": list(status.slots),
        "receiver": status.receiver,
        "pending_restart": [vars(setting) for setting in status.pending],
        "errors": list(status.errors),
        "shortfalls": shortfalls(status, synchronous=True),
    }

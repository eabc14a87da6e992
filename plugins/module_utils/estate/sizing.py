# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Budgets: how much memory each tier of a host gets, how many workers fit, how many connections they need.

All memory in MiB. A worker is counted by Odoo's own rule: 80 % light requests (150 MiB), 20 % heavy ones (1 GiB).
While a release is rolled out the old and the new one run side by side, so an idle second release has its share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WORKER_MB = 325
WORKER_IDLE_MB = 100
MASTER_MB = 100
BUS_MB = 256
CRON_MB = 256
USERS_PER_WORKER = 6
#: Fewer than two workers and one slow report stops everybody.
LEAST_WORKERS = 2
#: Odoo's limits of one worker. Memory is address space, not use: lower values stop the PDF renderer.
#: What is used is capped by the container.
WORKER_LIMITS = {"memory_soft_mb": 2048, "memory_hard_mb": 2560, "time_cpu_s": 60, "time_real_s": 120}

#: Patroni keeps a few KiB in etcd. With an hour of history that is some MiB: the quota only bounds what goes wrong.
ETCD_MB = 128
ETCD_QUOTA_MB = 64

CONNECTIONS_PER_WORKER = 3
#: The bus holds many clients in one process; it borrows connections for moments only.
CONNECTIONS_BUS = 16
#: One to listen, two to work, each thread.
CONNECTIONS_CRON = 3
#: Upgrades and first installations run in a container of their own.
CONNECTIONS_MAINTENANCE = 5
CONNECTIONS_MONITOR = 3
CONNECTIONS_SUPERUSER = 3
CONNECTIONS_PER_STANDBY = 2


@dataclass(frozen=True)
class Budget:
    """What each part of one host may use, in MiB; 0 for a part the host does not have."""

    system: int
    edge: int
    cache: int
    etcd: int
    ops: int
    app: int
    db: int

    @property
    def total(self) -> int:
        """Everything together; never more than the host has."""
        return self.system + self.edge + self.cache + self.etcd + self.ops + self.app + self.db


def clamp(value: float, low: int, high: int) -> int:
    """`value` as a whole number between `low` and `high`."""
    return int(max(low, min(high, value)))


def budget(host: Any, maxmemory_mb: Any = None) -> Budget:
    """Share out a host's memory. `maxmemory_mb` is the operator's Redis size, or None."""
    memory, tiers = host.memory_mb, host.tiers
    alone = len(tiers) == 1
    system = clamp(memory // 10, 192, 1024) + (128 if host.docker else 0)
    rest = max(0, memory - system)
    edge = (rest if alone else clamp(rest // 16, 128, 1024)) if "edge" in tiers else 0
    ops = (rest if alone else clamp(rest // 4, 512, 2048)) if "ops" in tiers else 0
    cache = 0
    if "cache" in tiers:
        cache = rest if alone else cache_need(maxmemory_mb or clamp(rest // 32, 64, 1024))
    etcd = (rest if alone else ETCD_MB) if "etcd" in tiers else 0
    left = max(0, rest - edge - ops - cache - etcd)
    both = "app" in tiers and "db" in tiers
    app = (left * 65 // 100 if both else left) if "app" in tiers else 0
    db = (left - app) if "db" in tiers else 0
    return Budget(system, edge, cache, etcd, ops, app, db)


def cache_need(maxmemory_mb: int) -> int:
    """Memory a Redis of this size needs: data, half as much while it forks to save, buffers."""
    return maxmemory_mb * 3 // 2 + 32


def cache_data(share: int) -> int:
    """The inverse: the data that fits a share, kept under 4 GiB (sessions never need more)."""
    return clamp((share - 32) * 2 // 3, 16, 4096)


def app_need(workers: int, cron_threads: int = 1) -> int:
    """Memory an app host needs for this many workers, the bus, scheduled jobs and a second, idle release."""
    return workers * WORKER_MB + MASTER_MB + BUS_MB + CRON_MB * cron_threads + idle_release(workers)


def workers_by_memory(share: int, cron_threads: int = 1) -> int:
    """How many workers a share of memory holds (0 when none)."""
    fixed = app_need(0, cron_threads)
    return max(0, (share - fixed) // (app_need(1, cron_threads) - fixed))


def workers_by_users(users: int, app_hosts: int) -> int:
    """Workers each app host needs for these people, shared evenly."""
    each = -(-users // (USERS_PER_WORKER * max(1, app_hosts)))
    return max(LEAST_WORKERS, each)


def workers_by_cpus(cpus: int) -> int:
    """Odoo's rule of thumb: two a processor and one more."""
    return 2 * cpus + 1


def app_connections(workers: int, cron_threads: int) -> int:
    """Database connections one app host needs, two releases side by side."""
    return 2 * (workers * CONNECTIONS_PER_WORKER + CONNECTIONS_BUS + cron_threads * CONNECTIONS_CRON)


def listeners(workers: int, cron_threads: int) -> int:
    """Sessions one app host keeps in `postgres`, two releases: one for each process, thread and the bus."""
    return 2 * (workers + 1 + cron_threads)


def pooled_connections(workers: int, cron_threads: int) -> int:
    """What is left of app_connections when transactions share connections: those of one busy release, and listeners.

    The release beside it is idle: it listens, and has no transaction open.
    """
    return app_connections(workers, cron_threads) // 2 + listeners(workers, cron_threads)


def connections(app_workers: Any, cron_threads: int, standbys: int, pooled: bool = False) -> dict:
    """What the database server's connections are needed for. `app_workers`: workers of each app host; `pooled`: their
    transactions share connections."""
    each = pooled_connections if pooled else app_connections
    need = {
        "application": sum(each(workers, cron_threads) for workers in app_workers),
        "maintenance": CONNECTIONS_MAINTENANCE,
        "monitor": CONNECTIONS_MONITOR,
        "superuser": CONNECTIONS_SUPERUSER,
        "replication": standbys * CONNECTIONS_PER_STANDBY,
    }
    return {**need, "total": sum(need.values())}


def max_connections(total: int) -> int:
    """The derived setting: a fifth over the need, in tens."""
    return max(60, -(-total * 12 // 100) * 10)


def idle_release(workers: int) -> int:
    """Memory of a second release that has no work: while one is rolled out, two run side by side."""
    return workers * WORKER_IDLE_MB + MASTER_MB + BUS_MB // 2


def containers(share: int, workers: int, cron_threads: int) -> dict:
    """Memory caps of one release's containers. What is left over goes to `web`; the idle release stays reserved."""
    cron = CRON_MB * cron_threads
    web = max(workers * WORKER_MB + MASTER_MB, share - BUS_MB - cron - idle_release(workers))
    return {"web": {"memory_mb": web}, "gevent": {"memory_mb": BUS_MB}, "cron": {"memory_mb": cron}}


def server_settings(share: int, allowed_connections: int, cpus: int) -> dict:
    """PostgreSQL's memory settings for its share of a host."""
    buffers = clamp(share // 4, 64, 16384)
    work = clamp((share - buffers) / 2 / allowed_connections * 1.0, 2, 64)
    return {
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{max(buffers, share * 7 // 10)}MB",
        "work_mem": f"{work}MB",
        "maintenance_work_mem": f"{clamp(share // 16, 32, 1024)}MB",
        "max_worker_processes": max(8, cpus),
        "max_parallel_workers": max(2, cpus),
        "max_parallel_workers_per_gather": clamp(cpus // 2, 0, 4),
    }

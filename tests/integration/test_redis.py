# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis as its clients, its operator and a stranger on the cache's host meet it."""

from __future__ import annotations

import pytest

FORBIDDEN = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET dir",
    "CONFIG SET dir /tmp",
    "KEYS *x",
    "LATENCY RESET",
    "SHUTDOWN NOSAVE",
    "SAVE",
    "BGSAVE",
    "ACL LIST",
    "ACL SETUSER default on nopass",
    "REPLICAOF 10.0.0.1 6379",
    "MODULE LIST",
    "CLIENT LIST",
    "MONITOR",
    "SWAPDB 0 1",
    "RESTORE session:x 0 x",
    "MIGRATE 10.0.0.1 6379 session:x 0 1",
)


@pytest.fixture(scope="module")
def cache(lab):
    """The cache's host."""
    return lab.group("cache")[0]


@pytest.fixture(scope="module")
def where(lab, cache):
    """Its slice of the plan."""
    return lab.plan()["hosts"][cache]["redis"]


@pytest.fixture(scope="module")
def ask(lab, cache, where):
    """Run a command as a user: ask("sessions", "GET session:x"). The password is the vault's unless given."""
    secrets = lab.secrets()

    def run(user, command, password=None):
        line = (
            "read -r REDISCLI_AUTH; export REDISCLI_AUTH; timeout 5 redis-cli --no-auth-warning --tls "
            f"--cacert /etc/estate/tls/redis/ca.pem -h {where['address']} -p {where['port']} "
            f"--user {user} {command} 2>&1"
        )
        return lab.ssh(cache, line, check=False, stdin=(password or secrets[f"redis_{user}"]) + "\n").strip()

    return run


def main_pid(lab, cache):
    return lab.ssh(cache, "systemctl show -P MainPID redis-server").strip()


def test_it_listens_with_tls_on_the_private_address_only(lab, cache, where):
    rows = [line.split() for line in lab.ssh(cache, "ss -tlnpH").splitlines() if "redis-server" in line]
    assert [row[3] for row in rows] == [f"{where['address']}:{where['port']}"]


def test_without_tls_nothing_is_said(lab, cache, where):
    said = lab.ssh(cache, f"timeout 5 redis-cli -h {where['address']} -p {where['port']} PING 2>&1", check=False)
    assert "PONG" not in said
    assert "NOAUTH" not in said


def test_the_certificate_is_the_estates_for_this_host(lab, cache, where):
    said = lab.ssh(
        cache,
        (
            f"openssl s_client -connect {where['address']}:{where['port']} -CAfile /etc/estate/tls/redis/ca.pem "
            f"-verify_hostname {cache} -verify_return_error </dev/null 2>&1"
        ),
    )
    assert "Verify return code: 0 (ok)" in said


@pytest.mark.parametrize(("user", "password"), [("default", "x"), ("sessions", "wrong"), ("nobody", "x")])
def test_who_is_not_known_is_refused(ask, user, password):
    assert "PONG" not in ask(user, "PING", password)
    assert "WRONGPASS" in ask(user, "PING", password)


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("sessions", "SET session:test 1 EX 60"),
        ("sessions", "GET session:test"),
        ("sessions", "DEL session:test"),
        (
            "ratelimit",
            "EVAL \"redis.call('hset',KEYS[1],'a','1'); return redis.call('expire',KEYS[1],60)\" 1 rate:test",
        ),
        ("monitor", "PING"),
        ("monitor", "INFO memory"),
    ],
)
def test_each_user_may_do_its_work(ask, user, command):
    said = ask(user, command)
    assert "NOPERM" not in said
    assert "ERR" not in said


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("sessions", "GET rate:test"),
        ("sessions", "INFO"),
        ("ratelimit", "GET session:test"),
        ("ratelimit", "EVAL \"return redis.call('hgetall',KEYS[1])\" 1 session:test"),
        ("ratelimit", "EVAL \"return redis.call('get','session:test')\" 0"),
        ("ratelimit", "SCAN 0"),
        ("monitor", "GET session:test"),
        ("monitor", "SCAN 0"),
        ("monitor", "SET session:test 1"),
    ],
)
def test_no_user_may_do_anothers(ask, user, command):
    said = ask(user, command)
    # The words of Redis 8 and 7.2, and of 7.0 (Debian 12).
    assert any(words in said for words in ("NOPERM", "ACL failure", "can't run this command")), said


@pytest.mark.parametrize("user", ["sessions", "ratelimit", "monitor"])
@pytest.mark.parametrize("command", FORBIDDEN)
def test_administration_belongs_to_nobody(ask, user, command):
    assert "NOPERM" in ask(user, command)


def test_a_restart_keeps_sessions(lab, cache, ask, waiting):
    ask("sessions", "SET session:restart 1 EX 600")
    lab.ssh(cache, "systemctl restart redis-server")
    assert waiting("the session", lambda: ask("sessions", "GET session:restart") == "1", timeout=30)
    ask("sessions", "DEL session:restart")


def test_a_redis_that_dies_is_started_again(lab, cache, ask, waiting):
    before = main_pid(lab, cache)
    lab.ssh(cache, f"kill -KILL {before}")
    waiting("Redis", lambda: ask("monitor", "PING") == "PONG", timeout=30)
    assert main_pid(lab, cache) not in (before, "0")


def test_memory_is_bounded_and_the_least_used_goes_first(lab, cache, where, ask):
    told = dict(line.strip().split(":", 1) for line in ask("monitor", "INFO memory").splitlines() if ":" in line)
    assert int(told["maxmemory"]) == where["maxmemory_mb"] * 1024 * 1024
    assert told["maxmemory_policy"] == "volatile-lru"
    limit = int(lab.ssh(cache, "systemctl show -P MemoryMax redis-server"))
    assert int(told["maxmemory"]) < limit < 2 * int(told["maxmemory"])


def test_the_unit_is_shut_in(lab, cache):
    pid = main_pid(lab, cache)
    status = dict(line.split(":", 1) for line in lab.ssh(cache, f"cat /proc/{pid}/status").splitlines() if ":" in line)
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapBnd"].strip(), 16) == 0
    assert status["Seccomp"].strip() == "2"
    for path in ("/etc/redis", "/etc", "/usr", "/var/log", "/home"):
        touched = lab.ssh(cache, f"nsenter -t {pid} -m touch {path}/estate-test 2>&1", check=False)
        assert "Read-only" in touched or "No such file" in touched or "denied" in touched, path


def test_files_hold_no_password_and_are_not_for_everybody(lab, cache):
    secrets = lab.secrets()
    files = lab.ssh(cache, "cat /etc/redis/*")
    assert not [name for name, value in secrets.items() if name.startswith("redis_") and value in files]
    modes = lab.ssh(cache, "stat -c '%a %U:%G %n' /etc/redis /etc/redis/* /etc/estate/tls/redis/key.pem").splitlines()
    assert [line.split()[:2] for line in modes] == [["750", "root:redis"], *[["640", "root:redis"]] * 3]


def test_drift_is_told_exactly_and_mended(lab, cache, ask):
    lab.ssh(cache, "echo 'user thief on nopass ~* +@all' >> /etc/redis/users.acl; systemctl restart redis-server")
    assert ask("thief", "PING", "x") == "PONG"
    told = lab.playbook("cache", "--check", "--diff")
    assert told.changed_tasks() == [(cache, "retailerp.estate.redis : Configuration, users and sandbox of Redis")]
    assert not [secret for name, secret in lab.secrets().items() if name.startswith("redis_") and secret in told.output]
    lab.playbook("cache")
    assert "WRONGPASS" in ask("thief", "PING", "x")
    assert lab.playbook("cache").changed_tasks() == []

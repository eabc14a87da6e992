# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on real hosts share: the lab, its hosts, its playbooks and its secrets."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from ansible_collections.retailerp.estate.tests.members import Pair
from ansible_collections.retailerp.estate.tests.people import Administrator

ROOT = Path(__file__).parents[2]
LAB = ROOT / ".lab"
BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Run:
    """A finished playbook run: exit code, everything it printed, and the record of the callback `report`."""

    code: int
    output: str
    result: dict[str, Any] = field(default_factory=dict)

    def stats(self, key: str = "changed") -> dict[str, int]:
        """A figure of the recap (changed, failures, unreachable, ok …) by host."""
        return {host: row[key] for host, row in self.result["stats"].items()}

    def changed_tasks(self) -> list[tuple[str, str]]:
        """(host, task name) of every task that reported a change."""
        return [
            (host, task["name"])
            for play in self.result["plays"]
            for task in play["tasks"]
            for host, outcome in task["hosts"].items()
            if outcome.get("changed")
        ]


class Lab:
    """The lab of one scenario, as an operator sees it: an inventory, SSH, and the sites."""

    def __init__(self, inventory: Path) -> None:
        self.root = ROOT
        self.inventory = inventory
        self.ca = str(LAB / "root.pem")
        listed = subprocess.run(
            [BIN / "ansible-inventory", "-i", inventory, "--list"],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        self.groups: dict[str, Any] = json.loads(listed.stdout)
        self.hosts: dict[str, dict] = self.groups["_meta"]["hostvars"]

    def environment(self, **extra: str) -> dict[str, str]:
        """The environment of an operator at the project's root, with the vault unlocked."""
        unlocked = {"ANSIBLE_VAULT_PASSWORD_FILE": str(LAB / "vault_password"), "ANSIBLE_NOCOLOR": "1"}
        return {**os.environ, **unlocked, "PATH": f"{BIN}:{os.environ['PATH']}", **extra}

    def group(self, name: str) -> list[str]:
        """The hosts of a group, in the inventory's order."""
        return list(self.groups.get(name, {}).get("hosts", []))

    def spec(self) -> dict[str, Any]:
        """The operator's file, as it is written (templates unresolved)."""
        return yaml.safe_load((self.inventory / "group_vars/all/estate.yml").read_text())["estate_spec"]

    def ssh(self, host: str, command: str, check: bool = True, stdin: str | None = None, timeout: int = 120) -> str:
        """What a shell command prints as root on a host; stderr is part of the error when it fails."""
        done = subprocess.run(
            ["ssh", "-F", LAB / "ssh_config", host, f"sudo -n sh -c {shlex.quote(command)}"],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{host}: {command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def sql(self, host: str, *statements: str, database: str | None = None, check: bool = True) -> str:
        """What these statements print, run one by one as the superuser, in the estate's database if not another.

        Errors are part of what is printed, and end it; with `check` they are raised.
        """
        script = "".join(f"{statement};\n" for statement in statements)
        name = database or self.spec()["id"]
        command = f"cd / && runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -d {name} 2>&1"
        return self.ssh(host, command, stdin=script, check=check, timeout=300).strip()

    def primary(self) -> str:
        """The database host that takes writes; one that does not answer is none."""
        answers = {host: self.sql(host, "SELECT pg_is_in_recovery()", check=False) for host in self.group("db")}
        (found,) = [host for host, answer in answers.items() if answer == "f"]
        return found

    def docker(self, host: str, code: str) -> str:
        """What a line of Python prints that has the host's engine as `engine` (no docker command is on the hosts)."""
        program = f"import docker; engine = docker.from_env()\n{code}"
        return self.ssh(host, f"python3 -c {shlex.quote(program)}")

    def started(self, host: str) -> str:
        """Every running container of a host, with when it was started: another text if one was restarted."""
        return self.docker(host, "print([(c.name, c.attrs['State']['StartedAt']) for c in engine.containers.list()])")

    def remove_containers(self, host: str, part_of_name: str = "") -> None:
        """Remove the containers of a host whose names hold these words, by force, as an accident would."""
        self.docker(
            host, f"for c in engine.containers.list(all=True):\n  {part_of_name!r} in c.name and c.remove(force=True)"
        )

    def local(self, command: str, timeout: int = 120) -> str:
        """What a shell command prints on the controller, whatever its exit code."""
        return subprocess.run(command, shell=True, capture_output=True, text=True, timeout=timeout, check=False).stdout

    def redis_flush(self, host: str) -> None:
        """Forget every session and every rate limit, as the superuser of the cache's host would."""
        self.ssh(
            host, "systemctl stop redis-server && find /var/lib/redis -type f -delete && systemctl start redis-server"
        )

    def module(self, host: str, name: str, options: dict[str, Any], *flags: str) -> tuple[dict[str, Any], str]:
        """One call of a module on a host, as root: its result (with `failed`), and all that was printed."""
        command = [
            *(BIN / "ansible", "-i", self.inventory, host, *flags),
            *("--module-name", name),
            *(("--args", json.dumps(options)) if options else ()),
            *([] if host == "localhost" else ["--become"]),
        ]
        env = self.environment(ANSIBLE_CALLBACK_RESULT_FORMAT="json")
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
        told = re.search(rf"^{host} \| [A-Z]+!? => (?={{)", done.stdout, re.M)
        assert told, done.stdout + done.stderr
        result, _end = json.JSONDecoder().raw_decode(done.stdout[told.end() :])
        return {**result, "failed": done.returncode != 0}, done.stdout + done.stderr

    def plan(self) -> dict[str, Any]:
        """The fact `estate`, as the playbooks get it."""
        result, _shown = self.module(self.group("edge")[0], "retailerp.estate.estate_plan", {})
        return result["ansible_facts"]["estate"]

    def playbook(self, name: str, *args: str, check: bool = True, timeout: int = 1800) -> Run:
        """Run a playbook of the collection by its FQCN on this lab; see Run for its result."""
        out = LAB / "artefacts" / f"run-{time.monotonic_ns()}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        env = self.environment(ANSIBLE_CALLBACKS_ENABLED="retailerp.estate.report", ESTATE_RECORD=str(out))
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", self.inventory, f"retailerp.estate.{name}", *args],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        result = json.loads(out.read_text()) if out.exists() else {}
        out.unlink(missing_ok=True)
        if check and done.returncode:
            raise AssertionError(f"{name} {args}: exit {done.returncode}\n{done.stdout[-6000:]}")
        return Run(done.returncode, done.stdout, result)

    def killed(self, words: str, times: int, name: str, *args: str, first: Callable[[], object] = lambda: None) -> None:
        """Begin a playbook and kill its controller, without a word, when it has begun a line like this so often.

        first: what is done then, before it is killed.
        """
        run = self._begun(name, *args)
        said = self._until(run, words, times)
        first()
        os.killpg(run.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL, said[-4000:]

    def disturbed(self, words: str, times: int, act: Callable[[], object], name: str, *args: str) -> Run:
        """Run a playbook to its end, and do something when it has begun a line like this so often."""
        run = self._begun(name, *args)
        said = self._until(run, words, times)
        act()
        said += run.stdout.read()
        return Run(run.wait(), said)

    def _begun(self, name: str, *args: str) -> subprocess.Popen:
        return subprocess.Popen(
            [BIN / "ansible-playbook", "-i", self.inventory, f"retailerp.estate.{name}", *args],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _until(self, run: subprocess.Popen, words: str, times: int) -> str:
        """What it said until then."""
        said = []
        for line in run.stdout:
            said.append(line)
            times -= line.startswith(words)
            if not times:
                return "".join(said)
        raise AssertionError(f"it ended with {run.wait()} before: {''.join(said)[-4000:]}")

    def next_secrets(self) -> dict[str, str]:
        """The next generation in the vault; empty when there is none."""
        task = {"msg": "{{ estate_secrets_next | default({}) }}"}
        return self.module("localhost", "ansible.builtin.debug", task)[0]["msg"]

    def secrets(self) -> dict[str, str]:
        """The estate's secrets, decrypted: for canary searches and for signing in."""
        result, _shown = self.module("localhost", "ansible.builtin.debug", {"var": "estate_secrets"})
        return result["estate_secrets"]

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        """A GET with the lab's root certificate, redirects not followed."""
        return requests.get(url, **{"verify": self.ca, "allow_redirects": False, "timeout": 20, **kwargs})


def wait_for(what: str, probe: Callable[[], Any], timeout: float = 60, every: float = 0.5) -> Any:
    """Poll until `probe` returns something true; the last error is part of the failure."""
    end, last = time.monotonic() + timeout, None
    while time.monotonic() < end:
        try:
            if value := probe():
                return value
        except Exception as err:  # noqa: BLE001  # whatever the probe meets while the estate settles
            last = err
        time.sleep(every)
    raise AssertionError(f"{what}: not within {timeout:.0f} s (last: {last})")


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab that is up. ESTATE_INVENTORY chooses the scenario's inventory (default: inventories/lab)."""
    return Lab(ROOT / os.environ.get("ESTATE_INVENTORY", "inventories/lab"))


@pytest.fixture(scope="session")
def waiting() -> Callable[..., Any]:
    """`wait_for`, as a fixture."""
    return wait_for


@pytest.fixture(scope="session")
def site(lab) -> str:
    """The retailer's public site."""
    return f"https://{lab.spec()['domain']}"


@pytest.fixture(scope="module")
def odoo(lab) -> Administrator:
    """Odoo's API as the administrator, on the internal entry point; a connection of its own for each file of tests."""
    spec = lab.spec()
    return Administrator(f"https://admin.{spec['domain']}", spec["id"], lab.secrets()["odoo_administrator"], lab.ca)


@pytest.fixture(scope="module")
def keeper(lab) -> str:
    """The host that makes the backups; the lab's stores are on it, too."""
    if "backup" not in lab.spec():
        pytest.skip("this estate has no backups")
    return lab.spec()["backup"].get("keeper", lab.group("ops")[0])


@pytest.fixture(scope="module")
def pair(lab, keeper, waiting) -> Pair:
    """The database hosts of an estate with backups; durability as its file says."""
    found = Pair(lab, waiting)
    found.durability = "available"
    return found

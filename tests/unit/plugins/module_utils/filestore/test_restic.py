# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic is told, and what is made of its answers."""

from __future__ import annotations

import json

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import gate, keep, plan, restic
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

PASSWORD = "canary/of+the%gate"
WHOLE = "f1" * 32
CODED = "canary%2Fof%2Bthe%25gate"


class System:
    """A restic that answers as it is told."""

    def __init__(self, *answers):
        self.answers, self.argv = list(answers), []

    def run(self, argv, stdin=None, timeout_s=0):
        self.argv.append(argv)
        return self.answers.pop(0)


@pytest.fixture
def made(tmp_path):
    """A repository in a directory, over a restic that answers so."""
    (tmp_path / "repository").write_text("/srv/store\n")
    options = {"repository_file": str(tmp_path / "repository"), "password_file": "/etc/key", "ca_file": None}
    return lambda *answers: restic.Repository(options, System(*answers))


@pytest.mark.parametrize(
    "answer",
    [
        (10, "", "Fatal: repository does not exist"),
        (1, "", "Fatal: unable to open config file: <config/> does not exist"),
    ],
)
def test_no_repository_is_an_answer(made, answer):
    """restic says so by a code since 0.17, before in words."""
    assert made(answer).there() is False


@pytest.mark.parametrize("answer", [(12, "", "Fatal: wrong"), (1, "", "Fatal: wrong password or no key found")])
def test_a_wrong_key_is_not_taken_for_no_repository(made, answer):
    with pytest.raises(EstateError, match="the key in /etc/key does not open /srv/store"):
        made(answer).there()


def test_what_is_only_looked_at_waits_for_nobody(made):
    store = made((0, "[]", ""), (0, "{}", ""), (0, "", ""))
    store.snapshots()
    store.names("f1", "/srv/shop")
    store.text("r1", "record.json")
    assert all("--no-lock" in argv for argv in store._system.argv)


def test_past_the_gate_a_lock_is_the_groups(tmp_path):
    """A drill is root and writes beside the gate: a lock that the gate could not read kept every client out."""
    (tmp_path / "repository").write_text("rclone:store:shop\n")
    options = {"repository_file": str(tmp_path / "repository"), "password_file": "/etc/key", "rclone_config": "/etc/x"}
    system = System((0, "[]", ""))
    restic.Repository(options, system).snapshots()
    (argv,) = system.argv
    assert argv[:5] == ["sh", "-c", 'umask 0007; exec "$@"', "sh", "restic"]


def test_a_host_without_restic_says_so(made):
    with pytest.raises(EstateError, match="no restic on this host"):
        made((127, "", "restic: no such program")).snapshots()


def test_the_summary_names_the_snapshot(made):
    summary = {"message_type": "summary", "snapshot_id": WHOLE, "total_files_processed": 2}
    summary |= {"total_bytes_processed": 100, "data_added": 40}
    out = json.dumps({"message_type": "status"}) + "\n" + json.dumps(summary) + "\n"
    assert made((0, out, "")).backup("/srv/shop", "shop", ["a", "b"], 10) == restic.Taken(WHOLE, 2, 100, 40)
    with pytest.raises(EstateError, match="named no snapshot"):
        made((0, "", "")).backup("/srv/shop", "shop", [], 10)


def test_a_snapshot_is_known_by_its_whole_id_on_every_release(made):
    """restic 0.14 (Debian 12) says the first eight digits: a point whose record had these was never listed."""
    summary = {"message_type": "summary", "snapshot_id": WHOLE[:8], "total_files_processed": 2}
    said = (0, json.dumps(summary | {"total_bytes_processed": 100, "data_added": 40}), "")
    listed = [{"id": id, "time": "2026-11-28T01:00:00Z"} for id in ("1" * 64, WHOLE)]
    assert made(said, (0, json.dumps(listed), "")).backup("/srv/shop", "shop", [], 10).id == WHOLE
    with pytest.raises(EstateError, match="lists 0 of that name"):
        made(said, (0, "[]", "")).backup("/srv/shop", "shop", [], 10)


def test_names_are_those_below_the_filestore(made):
    entries = [
        {"message_type": "snapshot", "id": "f1"},
        {"type": "dir", "path": "/srv/shop/00"},
        {"type": "file", "path": "/srv/shop/00/abc"},
        {"type": "file", "path": "/srv/shopping/00/abc"},
    ]
    assert made((0, "\n".join(map(json.dumps, entries)), "")).names("f1", "/srv/shop") == {"00/abc"}


def test_no_secret_is_an_argument_or_in_an_error(tmp_path):
    (tmp_path / "repository").write_text(f"rest:https://shop:{CODED}@127.0.0.1:9/shop/\n")
    options = {"repository_file": str(tmp_path / "repository"), "password_file": "/etc/key", "ca_file": "/etc/ca.pem"}
    system = System()
    repository = restic.Repository(options, system)
    with pytest.raises(EstateError, match=r"nobody answers at the gate 127\.0\.0\.1:9") as raised:
        repository.there()
    assert "canary" not in str(raised.value)
    assert system.argv == []
    assert repository.address == "rest:https://127.0.0.1:9/shop/"


def test_a_gate_is_read_from_the_address():
    found = gate.of(f"rest:https://shop:{CODED}@10.0.0.5:8000/shop/", "/etc/ca.pem")
    assert (found.host, found.port, found.path, found.user, found.password) == (
        "10.0.0.5",
        8000,
        "/shop/",
        "shop",
        PASSWORD,
    )
    assert gate.of("/srv/store", None) is None


def test_a_password_that_was_not_encoded_is_not_repeated():
    with pytest.raises(EstateError, match="is its password encoded") as raised:
        gate.of("rest:https://shop:canary/x@10.0.0.5:8000/shop/", None)
    assert "canary" not in str(raised.value)


class Answers(gate.Gate):
    """A gate that answers as it is told."""

    def ask(self, method, what, password):
        return self.path[method]


@pytest.mark.parametrize(
    ("delete", "stranger", "states"),
    [(403, 401, ["pass", "pass"]), (404, 401, ["fail", "pass"]), (403, 200, ["pass", "fail"])],
)
def test_a_gate_that_removes_or_knows_no_password_fails(delete, stranger, states):
    asked = Answers("10.0.0.5", 8000, {"DELETE": delete, "GET": stranger}, "shop", PASSWORD, None)
    assert [one.state for one in gate.controls(asked)] == states


class Store:
    """A repository as the keeper sees it; one that refuses says nothing, as restic does."""

    def __init__(self, snapshots, refuses=False):
        self._snapshots, self._refuses, self.checked = snapshots, refuses, []

    def there(self):
        return True

    def unlock(self):
        pass

    def snapshots(self):
        return list(self._snapshots)

    def forget(self, ids, timeout_s):
        if not self._refuses:
            self._snapshots = [one for one in self._snapshots if one.id not in ids]

    def check(self, part, timeout_s):
        self.checked.append(part)


OLD = plan.Snapshot("f1", 0, (plan.FILES, "name=p"), ("/srv",))
SAID = {"keep_days": 35, "keep_least": 3}
NOW = 1_800_000_000.0


def test_the_keeper_forgets_and_proves():
    store = Store([OLD])
    assert keep.turn(store, SAID, NOW)["forgotten"] == 1
    assert store.checked
    assert store.snapshots() == []


def test_the_keeper_waits_for_who_is_at_work_and_for_the_lock_of_who_is_dead():
    """A client that was killed leaves a lock, which nobody but time can tell from one that is held."""
    waited = []

    class Locked(Store):
        def forget(self, ids, timeout_s):
            if len(waited) < 31:
                raise restic.RepositoryLocked("locked by PID 6761 on app1")
            super().forget(ids, timeout_s)

    assert keep.turn(Locked([OLD]), SAID, NOW, waited.append)["forgotten"] == 1
    assert sum(waited) < 3600


def test_the_keeper_does_not_wait_for_ever():
    class Locked(Store):
        def check(self, part, timeout_s):
            raise restic.RepositoryLocked("locked by PID 6761 on app1")

    waited = []
    with pytest.raises(EstateError, match="locked by"):
        keep.turn(Locked([]), SAID, NOW, waited.append)
    assert sum(waited) == keep.PATIENCE_S


@pytest.mark.parametrize(
    "answer", [(11, "", "x"), (1, "", "unable to create lock: repository is already locked by PID 1")]
)
def test_a_lock_is_told_from_other_failures(made, answer):
    with pytest.raises(restic.RepositoryLocked):
        made(answer).forget(["x"], 10)


def test_the_keeper_believes_no_success_that_it_does_not_see():
    with pytest.raises(EstateError, match="still there: may this identity delete"):
        keep.turn(Store([OLD], refuses=True), SAID, NOW)


def test_the_keeper_tells_of_the_future():
    with pytest.raises(EstateError, match="of the future"):
        keep.turn(Store([plan.Snapshot("f1", NOW * 2, (plan.FILES,), ("/srv",))]), SAID, NOW)


def test_all_contents_are_read_within_four_weeks():
    store = Store([])
    for day in range(keep.PARTS):
        keep.turn(store, SAID, NOW + day * keep.DAY_S)
    assert len(set(store.checked)) == keep.PARTS

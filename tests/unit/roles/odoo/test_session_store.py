# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session store of estate_session_redis, over base classes shaped as those of Odoo 14 and of 17 and later."""

from __future__ import annotations

import datetime
import importlib.util
import sys
import types
from pathlib import Path

import pytest

ADDON = Path(__file__).parents[4] / "roles/odoo/files/addons/estate_session_redis/store.py"
SID = "a" * 40


class Down(Exception):
    """Stands for redis.RedisError; its kinds below."""


@pytest.fixture
def store_module(monkeypatch):
    """The addon's store, with the two libraries that only Odoo's image has replaced by their names."""
    redis = types.ModuleType("redis")
    redis.RedisError = Down
    redis.ConnectionError = type("ConnectionError", (Down,), {})
    redis.TimeoutError = type("TimeoutError", (Down,), {})
    redis.AuthenticationError = type("AuthenticationError", (redis.ConnectionError,), {})
    werkzeug, exceptions = types.ModuleType("werkzeug"), types.ModuleType("werkzeug.exceptions")
    exceptions.ServiceUnavailable = type("ServiceUnavailable", (Exception,), {"code": 503})
    for module in (redis, werkzeug, exceptions):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location("estate_session_redis_store", ADDON)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return module


class Redis:
    """A Redis of one dictionary. `faults` are raised first, one a command."""

    def __init__(self):
        self.data, self.lifetimes, self.faults, self.asked = {}, {}, [], 0

    def _fail(self):
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)

    def set(self, key, value, ex=None):
        self._fail()
        self.data[key], self.lifetimes[key] = value, ex

    def get(self, key):
        self._fail()
        return self.data.get(key)

    def delete(self, key):
        self._fail()
        self.data.pop(key, None)

    def scan(self, cursor, match, count):
        self._fail()
        keys = sorted(key for key in self.data if key.startswith(match[:-1]))
        return (1, [keys[0].encode()]) if cursor == 0 and len(keys) > 1 else (0, [key.encode() for key in keys])


class Session(dict):
    """A session as every series has it: a mapping with a key of its own."""

    def __init__(self, data, sid, new=False):
        super().__init__(data)
        self.sid, self.new = sid, new


class Files:
    """The file store every series derives its own from: what stays of it is how keys are made and checked."""

    def __init__(self, path, session_class, renew_missing):
        self.path, self.session_class, self.renew_missing, self.made = path, session_class, renew_missing, 0

    def is_valid_key(self, key):
        return len(key) == 40

    def generate_key(self, salt=None):
        self.made += 1
        return f"{self.made:040d}"

    def new(self):
        return self.session_class({}, self.generate_key(), True)


class NewerFiles(Files):
    """From 16 on the store rotates keys itself, through its own methods."""

    def rotate(self, session, env):
        self.delete(session)
        session.sid = self.generate_key()
        self.save(session)


@pytest.fixture
def redis():
    return Redis()


@pytest.fixture(params=[Files, NewerFiles], ids=["14", "17"])
def store(request, store_module, redis):
    return store_module.make_store(request.param)(redis, path="/sessions", session_class=Session)


def test_what_is_saved_comes_back_under_the_same_key(store, redis):
    data = {"uid": 2, "context": {"lang": "en_US"}, "login": "admin"}
    store.save(Session(data, SID))
    assert list(redis.data) == [f"session:{SID}"]
    again = store.get(SID)
    assert (dict(again), again.sid, again.new) == (data, SID, False)


def test_the_value_is_no_pickle(store, redis):
    store.save(Session({"uid": 2}, SID))
    assert redis.data[f"session:{SID}"] == '{"uid":2}'


MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("value", [MOMENT, MOMENT.date(), {1, 2}, None, 1.5, "é"])
def test_values_survive(store, value):
    store.save(Session({"uid": 1, "value": value}, SID))
    assert store.get(SID)["value"] == value


def test_what_json_cannot_say_is_refused_not_lost(store):
    with pytest.raises(TypeError, match="object"):
        store.save(Session({"uid": 1, "value": object()}, SID))


@pytest.mark.parametrize(
    ("data", "days"),
    [
        ({"uid": 2}, 7),
        ({"uid": None, "sale_order_id": 7}, 7),
        ({"pre_uid": 2, "uid": None}, 7),
        ({"db": "shop", "uid": None, "context": {"lang": "en_US"}, "debug": ""}, 1 / 24),
        ({}, 1 / 24),
    ],
)
def test_every_key_has_a_lifetime_and_visitors_a_short_one(store, redis, data, days):
    store.save(Session(data, SID))
    assert redis.lifetimes[f"session:{SID}"] == days * 24 * 3600


def test_a_session_that_is_gone_is_a_new_one(store):
    found = store.get(SID)
    assert (dict(found), found.new) == ({}, True)
    assert found.sid != SID


def test_a_key_nobody_could_have_made_is_not_asked_for(store, redis):
    assert store.get("*").new
    assert redis.asked == 0


@pytest.mark.parametrize("rubbish", ["", "no json", "[1]", b"\x80\x04\x95"])
def test_a_value_that_is_not_ours_is_an_empty_session(store, redis, rubbish):
    redis.data[f"session:{SID}"] = rubbish
    assert dict(store.get(SID)) == {}


def test_a_restart_of_redis_is_not_noticed(store, store_module, redis):
    store.save(Session({"uid": 2}, SID))
    redis.faults = [store_module.redis.ConnectionError("gone"), store_module.redis.TimeoutError("slow")]
    assert store.get(SID)["uid"] == 2


@pytest.mark.parametrize("call", ["get", "save", "delete"])
def test_while_redis_is_away_requests_get_503(store, store_module, redis, call):
    redis.faults = [store_module.redis.ConnectionError("gone")] * 9
    with pytest.raises(store_module.ServiceUnavailable):
        getattr(store, call)(SID if call == "get" else Session({"uid": 2}, SID))
    assert redis.asked == 4


def test_while_it_is_known_to_be_away_nobody_waits_and_then_it_is_asked_again(store, store_module, redis):
    redis.faults = [store_module.redis.ConnectionError("gone")] * 5
    for _request in range(2):
        with pytest.raises(store_module.ServiceUnavailable):
            store.get(SID)
    assert redis.asked == 5
    store.save(Session({"uid": 2}, SID))
    assert store.get(SID)["uid"] == 2


def test_a_503_raised_while_headers_are_sent_is_an_answer(store_module):
    raised = store_module.ServiceUnavailable()

    class Application:
        @store_module.answering
        def __call__(self, environ, start_response):
            raise raised

    store_module.ServiceUnavailable.__call__ = lambda self, *given: (self.code, *given)
    assert Application()("environ", "start") == (503, "environ", "start")


@pytest.mark.parametrize("kind", ["AuthenticationError", "RedisError"])
def test_what_does_not_get_better_is_not_tried_again(store, store_module, redis, kind):
    redis.faults = [getattr(store_module.redis, kind)("no")] * 2
    with pytest.raises(store_module.ServiceUnavailable):
        store.get(SID)
    assert redis.asked == 1


def test_devices_are_signed_out_by_the_beginning_of_their_key(store_module, redis):
    store = store_module.make_store(NewerFiles)(redis, path="/sessions", session_class=Session)
    for letter in "abc":
        store.save(Session({"uid": 1}, letter * 84))
    assert store.get_missing_session_identifiers(["a" * 42, "z" * 42]) == {"z" * 42}
    store.delete_from_identifiers(["b" * 42])
    assert store.list() == ["a" * 84, "c" * 84]


def test_rotation_leaves_one_key(store_module, redis):
    store = store_module.make_store(NewerFiles)(redis, path="/sessions", session_class=Session)
    session = Session({"uid": 1}, SID)
    store.save(session)
    store.rotate(session, None)
    assert list(redis.data) == [f"session:{session.sid}"]
    assert session.sid != SID

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is found and wanted: a model of the server runs the statements of the plan, then there is nothing to do."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import access, scram
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    Current,
    Database,
    DatabaseFound,
    Desired,
    Held,
    Role,
    RoleFound,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.grants import KINDS

NONE = frozenset()
OURS = ("owner", "application", "reporting")
ANYBODY = (*OURS, "stranger", "PUBLIC")
PASSWORD = "canary-password"
VERIFIERS = (None, scram.verifier(PASSWORD), scram.verifier("another"))
FUNCTIONS = ("pg_switch_wal()", "pg_ls_dir(text,boolean,boolean)", "pg_promote(boolean,integer)")
PRIVILEGES = {
    "acl": ("CONNECT", "TEMPORARY", "CREATE"),
    "schema_acl": ("USAGE", "CREATE"),
    "TABLES": ("SELECT", "INSERT", "MAINTAIN"),
    "SEQUENCES": ("SELECT", "USAGE"),
}


class Server:
    """A server that knows the statements of the plan and fails on any other."""

    def __init__(self, found):
        self.roles = dict(found.roles)
        self.databases = dict(found.databases)

    def run(self, database, sql):
        for pattern, act in self.GRAMMAR:
            said = re.fullmatch(pattern, sql)
            if said:
                act(self, database, **{name: value and value.strip('"') for name, value in said.groupdict().items()})
                return
        raise AssertionError(f"no such statement: {sql}")

    def _create_role(self, _database, name, attributes, verifier):
        assert name not in self.roles
        self.roles[name] = RoleFound(attributes, verifier)

    def _role(self, _database, name, **changed):
        self.roles[name] = replace(self.roles[name], **changed)

    def _password(self, _database, name, verifier):
        self._role(None, name, verifier=None if verifier == "NULL" else verifier.strip("'"))

    def _set(self, _database, name, setting, value):
        self._role(None, name, settings={**self.roles[name].settings, setting: value})

    def _reset(self, _database, name, setting):
        kept = {key: value for key, value in self.roles[name].settings.items() if key != setting}
        self._role(None, name, settings=kept)

    def _member(self, _database, act, group, name):
        groups = set(self.roles[name].member_of)
        self._role(None, name, member_of=tuple(sorted(groups | {group} if act == "GRANT" else groups - {group})))

    def _create_database(self, _database, name, owner):
        acl = {"PUBLIC": frozenset({"CONNECT", "TEMPORARY"}), owner: frozenset(PRIVILEGES["acl"])}
        self.databases[name] = DatabaseFound(owner, acl=acl, schema_acl={"PUBLIC": frozenset({"USAGE"})})

    def _change(self, database, **changed):
        self.databases[database] = replace(self.databases[database], **changed)

    def _owner(self, _database, name, owner):
        self._change(name, owner=owner)

    def _extension(self, database, name):
        self._change(database, extensions=self.databases[database].extensions | {name})

    def _immutable(self, database, name):
        self._change(database, immutable=self.databases[database].immutable | {name})

    def _privilege(self, database, act, words, target, grantee):
        words = frozenset(words.split(", "))
        name, held = ("schema_acl", database) if target == "SCHEMA public" else ("acl", target.split('"')[1])
        acl = getattr(self.databases[held], name)
        self._change(held, **{name: self._moved(acl, act, words, grantee)})

    def _tables(self, database, act, words, kind, grantee):
        words, tables = frozenset(words.split(", ")), self.databases[database].tables
        assert words <= KINDS[kind]
        held = tables[kind].get(grantee, Held())
        one = Held(held.everywhere | words, held.somewhere | words)
        if act == "REVOKE":
            one = Held(held.everywhere - words, held.somewhere - words)
        self._change(database, tables={**tables, kind: {**tables[kind], grantee: one}})

    def _defaults(self, database, *, creator, act, words, kind, grantee):
        words, defaults = frozenset(words.split(", ")), self.databases[database].defaults
        assert words <= KINDS[kind]
        moved = self._moved(defaults.get((creator, kind), {}), act, words, grantee)
        self._change(database, defaults={**defaults, (creator, kind): moved})

    def _execute(self, database, act, functions, grantee):
        words = frozenset(functions.replace("pg_catalog.", "").split(", "))
        self._change(database, execute=self._moved(self.databases[database].execute, act, words, grantee))

    @staticmethod
    def _moved(acl, act, words, grantee):
        have = acl.get(grantee, NONE)
        return {**acl, grantee: have | words if act == "GRANT" else have - words}

    NAME = '(?P<name>"[^"]+")'
    GRANT = "(?P<act>GRANT|REVOKE) (?P<words>[A-Z, ]+) ON"
    WHO = '(?:TO|FROM) (?P<grantee>PUBLIC|"[^"]+")'
    GRAMMAR = (
        (f"CREATE ROLE {NAME} (?P<attributes>[A-Z ]+?)(?: PASSWORD '(?P<verifier>[^']+)')?", _create_role),
        (f"ALTER ROLE {NAME} PASSWORD (?P<verifier>NULL|'[^']+')", _password),
        (f"ALTER ROLE {NAME} SET (?P<setting>\"[^\"]+\") = '(?P<value>[^']*)'", _set),
        (f'ALTER ROLE {NAME} RESET (?P<setting>"[^"]+")', _reset),
        (f"ALTER ROLE {NAME} (?P<attributes>[A-Z ]+)", _role),
        (f'(?P<act>GRANT|REVOKE) (?P<group>"[^"]+") (?:TO|FROM) {NAME}', _member),
        (f'CREATE DATABASE {NAME} OWNER (?P<owner>"[^"]+") TEMPLATE template0 .*', _create_database),
        (f'ALTER DATABASE {NAME} OWNER TO (?P<owner>"[^"]+")', _owner),
        (f"CREATE EXTENSION {NAME} SCHEMA public", _extension),
        (r"ALTER FUNCTION public\.(?P<name>.*) IMMUTABLE", _immutable),
        (f'{GRANT} (?P<target>DATABASE "[^"]+"|SCHEMA public) {WHO}', _privilege),
        (f"{GRANT} ALL (?P<kind>TABLES|SEQUENCES) IN SCHEMA public {WHO}", _tables),
        (
            f'ALTER DEFAULT PRIVILEGES FOR ROLE (?P<creator>"[^"]+") IN SCHEMA public {GRANT} (?P<kind>[A-Z]+) {WHO}',
            _defaults,
        ),
        (rf"(?P<act>GRANT|REVOKE) EXECUTE ON FUNCTION (?P<functions>pg_catalog\..*) {WHO}", _execute),
    )


def some(words):
    return st.frozensets(st.sampled_from(words))


def by(names, words):
    return st.dictionaries(st.sampled_from(names), some(words), max_size=3)


def wanted(words, names=OURS):
    return by(names, words).map(lambda held: {name: tuple(sorted(words)) for name, words in held.items()})


GROUPS = some(("pg_monitor", "pg_checkpoint")).map(lambda names: tuple(sorted(names)))
SETTINGS = st.dictionaries(st.sampled_from(("work_mem", "jit")), st.sampled_from(("on", "off")))
HELD = st.builds(lambda all_, more: Held(all_, all_ | more), some(PRIVILEGES["TABLES"]), some(PRIVILEGES["TABLES"]))
SEQUENCES = st.builds(Held, some(PRIVILEGES["SEQUENCES"])).map(lambda held: Held(held.everywhere, held.everywhere))
FOUND_TABLES = st.fixed_dictionaries(
    {},
    optional={
        "TABLES": st.dictionaries(st.sampled_from(ANYBODY), HELD, max_size=3),
        "SEQUENCES": st.dictionaries(st.sampled_from(ANYBODY), SEQUENCES, max_size=3),
    },
)
DEFAULTS = st.dictionaries(
    st.tuples(st.sampled_from(OURS), st.just("TABLES")), by(ANYBODY, PRIVILEGES["TABLES"]), max_size=2
)


@st.composite
def role(draw, name):
    login = draw(st.booleans())
    return Role(name, PASSWORD if login else None, login, draw(st.booleans()), draw(GROUPS), draw(SETTINGS))


@st.composite
def desired(draw):
    shop = Database(
        "shop",
        owner="owner",
        connect=draw(wanted(PRIVILEGES["acl"], OURS[1:])),
        create=draw(st.none() | wanted(PRIVILEGES["schema_acl"])),
        extensions=("unaccent",),
        immutable=("unaccent(text)",),
        tables=draw(st.none() | wanted((*PRIVILEGES["TABLES"], "USAGE"), ("owner", "reporting"))),
        creators=draw(st.sampled_from([(), ("application",)])),
        execute=draw(st.none() | wanted(FUNCTIONS)),
    )
    return Desired(tuple(draw(role(name)) for name in OURS), (shop,))


@st.composite
def current(draw):
    attributes = st.builds(
        lambda login, stream: Role("", None, login, stream).attributes(), st.booleans(), st.booleans()
    )
    found = st.builds(RoleFound, attributes, st.sampled_from(VERIFIERS), GROUPS, SETTINGS)
    shop = st.builds(
        DatabaseFound,
        owner=st.sampled_from(("owner", "stranger")),
        acl=by(ANYBODY, PRIVILEGES["acl"]),
        schema_acl=by(ANYBODY, PRIVILEGES["schema_acl"]),
        tables=FOUND_TABLES,
        defaults=DEFAULTS,
        execute=by((*OURS, "stranger"), FUNCTIONS),
    )
    roles = draw(st.dictionaries(st.sampled_from((*OURS, "stranger")), found))
    return Current(roles=roles, databases=draw(st.just({}) | st.fixed_dictionaries({"shop": shop})))


def carried_out(found, wish):
    """What is there after the plan."""
    server = Server(found)
    for change in access.plan(found, wish):
        for sql in change.data.sql:
            assert PASSWORD not in sql
            server.run(change.data.database, sql)
    return Current(roles=server.roles, databases=server.databases)


@settings(max_examples=80, deadline=None)
@given(current(), desired())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(found, wish):
    assert access.plan(carried_out(found, wish), wish) == []


@settings(max_examples=80, deadline=None)
@given(current(), desired())
def test_ours_have_what_was_wanted_and_no_more(found, wish):
    after, (shop,) = carried_out(found, wish), wish.databases
    for one in wish.roles:
        now = after.roles[one.name]
        assert (now.attributes, set(now.member_of), now.settings) == (
            one.attributes(),
            set(one.member_of),
            one.settings,
        )
        assert scram.matches(now.verifier, PASSWORD) if one.login else now.verifier is None
    now = after.databases["shop"]
    judged = {"PUBLIC", *OURS} - set(shop.creators)
    for grantee in judged if shop.tables is not None else ():
        for kind, words in KINDS.items():
            want = words & set(shop.tables.get(grantee, ()))
            assert now.tables.get(kind, {}).get(grantee, Held(want, want)) == Held(want, want)
            for creator in {*OURS} - {grantee}:
                to_come = want if creator in shop.creators else NONE
                assert now.defaults.get((creator, kind), {}).get(grantee, NONE) == to_come
    for grantee in OURS if shop.execute is not None else ():
        assert now.execute.get(grantee, NONE) == frozenset(shop.execute.get(grantee, ()))
    for grantee in ("PUBLIC", *OURS) if shop.create is not None else ():
        assert now.schema_acl.get(grantee, NONE) == frozenset(shop.create.get(grantee, ()))
    for grantee in ("PUBLIC", *OURS[1:]):
        assert now.acl.get(grantee, NONE) == frozenset(shop.connect.get(grantee, ()))


@settings(max_examples=60, deadline=None)
@given(current(), desired())
def test_others_keep_what_they_have(found, wish):
    after, (shop,) = carried_out(found, wish), wish.databases
    assert after.roles.get("stranger") == found.roles.get("stranger")
    others = {"stranger", *shop.creators}
    for before in found.databases.values():
        now = after.databases["shop"]
        for side in ("acl", "schema_acl", "execute"):
            assert getattr(now, side).get("stranger") == getattr(before, side).get("stranger")
        for kind, holders in before.tables.items():
            assert all(now.tables[kind].get(name) == holders.get(name) for name in others)
        for key, holders in before.defaults.items():
            assert now.defaults[key].get("stranger") == holders.get("stranger")

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""odoo.conf of every series, whole, and the hashes in it.

ESTATE_GOLDEN=write rewrites the files: review the difference.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import pytest
import yaml

from ansible_collections.retailerp.estate.plugins.module_utils.odoo import conf
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

GOLDEN = Path(__file__).parent / "golden"
PLANS = Path(__file__).parents[1] / "estate" / "golden"
SERIES = ("14.0", "15.0", "16.0", "17.0", "18.0", "19.0")


def options(text):
    """What Odoo reads: it uses the raw parser, without interpolation."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return dict(parser["options"])


@pytest.mark.parametrize("series", SERIES)
def test_the_whole_file_of_each_series(plan, secrets, series):
    differs = yaml.safe_load((PLANS / f"series-{series}.yml").read_text(encoding="utf-8"))["odoo"]
    text = conf.render({**plan, **differs}, secrets)
    path = GOLDEN / f"odoo-{series}.conf"
    if os.environ.get("ESTATE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("series", "port", "demo"),
    [
        ("14.0", "longpolling_port", "without_demo"),
        ("15.0", "longpolling_port", "without_demo"),
        ("16.0", "gevent_port", "without_demo"),
        ("19.0", "gevent_port", "with_demo"),
    ],
)
def test_options_have_the_names_of_their_series(plan, secrets, series, port, demo):
    bus = {"port_option": port, "path": "/"}
    names = set(options(conf.render({**plan, "series": series, "bus": bus}, secrets)))
    assert names & {"longpolling_port", "gevent_port", "without_demo", "with_demo"} == {port, demo}


@pytest.mark.parametrize(
    ("series", "demo", "said"),
    [
        ("14.0", True, "False"),
        ("14.0", False, "all"),
        ("18.0", False, "all"),
        ("19.0", True, "True"),
        ("19.0", False, "False"),
    ],
)
def test_demonstration_data_only_where_wanted(plan, secrets, series, demo, said):
    read = options(conf.render({**plan, "series": series, "demo": demo}, secrets))
    assert read["with_demo" if series == "19.0" else "without_demo"] == said


def test_the_database_manager_is_closed_and_its_password_not_there(plan, secrets):
    text = conf.render(plan, secrets)
    read = options(text)
    assert read["list_db"] == "False"
    assert secrets["master"] not in text
    assert conf.matches(secrets["master"], read["admin_passwd"])


def test_passwords_arrive_as_they_are(plan, secrets):
    odd = "a%(b)s#;=\"' c\\"
    assert options(conf.render(plan, {**secrets, "database": odd}))["db_password"] == odd


@pytest.mark.parametrize("bad", ["two\nlines", " before", "behind ", "carriage\rreturn"])
def test_what_the_file_cannot_hold_is_refused_without_telling_it(plan, secrets, bad):
    with pytest.raises(EstateError, match="db_password") as refused:
        conf.render(plan, {**secrets, "database": bad})
    assert bad not in str(refused.value)


def test_a_hash_is_passlibs_and_costs_what_odoo_asks_for(rounds):
    assert rounds >= 600_000
    # Made by passlib 1.7.4: pbkdf2_sha512.using(rounds=1000, salt=b"0123456789abcdef").hash("secret")
    assert conf.hashed("secret", b"0123456789abcdef", 1000).startswith("$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$")
    assert conf.matches("secret", conf.hashed("secret", b"0123456789abcdef", 1000))
    assert not conf.matches("Secret", conf.hashed("secret", b"0123456789abcdef", 1000))


@pytest.mark.parametrize("stored", [None, "", "admin", "$pbkdf2-sha512$x$$", "$2b$12$abc", "$pbkdf2-sha512$10$!$!"])
def test_what_is_no_hash_matches_nothing(stored):
    assert not conf.matches("admin", stored)


def test_the_salt_is_the_same_at_every_run_and_another_for_another_secret():
    assert conf.salt_of("a", "x") == conf.salt_of("a", "x")
    assert len({conf.salt_of("a", "x"), conf.salt_of("b", "x"), conf.salt_of("a", "y")}) == 3


def test_exactly_one_database_without_asking_for_those_the_role_owns(plan, secrets):
    read = options(conf.render(plan, secrets))
    assert read["db_name"] == plan["db"]["name"]
    assert "dbfilter" not in read

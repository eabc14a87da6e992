# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of things in odoo_modules, with a database and a container that only remember."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.odoo import modules
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.conf import hashed
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.modules.odoo_modules import OdooModules

WANTED = modules.Wanted(["base", "stock"], "en_US", "https://shop.example.com", "right")


class World:
    """A database and the container that installs into it; `unknown` are modules the image lacks."""

    log = "/var/log/estate/shop-odoo-once.log"

    def __init__(self, there=True, unknown=(), earlier=None):
        self.there, self.unknown, self.earlier = there, unknown, earlier
        self.found = modules.Found()
        self.told = []

    def answers(self, patience_s):
        if not self.there and patience_s:
            raise EstateError("no database")
        return self.there

    def finish_earlier(self):
        if self.earlier:
            self.found, self.earlier = dataclasses.replace(self.found, modules=self.earlier), None
            self.told.append("waited")

    def read(self):
        return self.found

    def run(self, arguments):
        self.told.append(arguments)
        names = [name for option in arguments if option.startswith("--init=") for name in option[7:].split(",")]
        new = {name: "installed" for name in names if name not in self.unknown}
        self.found = dataclasses.replace(
            self.found,
            modules={**self.found.modules, **new},
            languages=frozenset({"en_US"}),
            administrator=("admin", "admin"),
        )

    def write(self, steps, administrator_password):
        self.told.append([step.kind for step in steps if step.kind in ("password", "parameter")])
        digest = hashed(administrator_password, b"salt", 10)
        values = {step.name: step.value for step in steps if step.kind == "parameter"}
        self.found = dataclasses.replace(self.found, administrator=("admin", digest), parameters=values)


def capability(world, check_mode=False):
    return OdooModules(WANTED, world, world, check_mode)


def test_installing_and_closing_the_default_sign_in_are_one_step():
    world = World()
    one = capability(world)
    one.apply(one.plan(one.read()))
    assert world.told == [["--init=base,stock", "--load-language=en_US"], ["password", "parameter", "parameter"]]
    assert one.plan(one.read()) == []


def test_a_module_the_image_lacks_is_told_although_odoo_said_nothing():
    one = capability(World(unknown=("stock",)))
    with pytest.raises(EstateError, match="did not install stock"):
        one.apply(one.plan(one.read()))


def test_a_run_whose_controller_went_away_is_waited_for():
    world = World(earlier={"base": "installed", "stock": "to install"})
    one = capability(world)
    one.apply(one.plan(one.read()))
    assert world.told[:2] == ["waited", ["--init=stock", "--load-language=en_US"]]


def test_check_mode_takes_a_host_without_a_database_for_an_empty_one():
    one = capability(World(there=False), check_mode=True)
    current = one.read()
    assert len(one.plan(current)) == 6
    assert [control.id for control in one.controls(current) if control.state == "fail"][0] == "odoo.database.reachable"


def test_otherwise_a_missing_database_is_an_error():
    with pytest.raises(EstateError, match="no database"):
        capability(World(there=False)).read()

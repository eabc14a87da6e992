# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""People sign in through the OpenID provider in a real browser."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.tests.people import PASSWORD, REFUSED

pytestmark = pytest.mark.browser

ADMINISTRATION = {"Settings", "Apps"}


def sign_in(page, site, name):
    """The way of a person: Odoo's login page, the button, the provider's form."""
    page.goto(f"{site}/web/login")
    page.get_by_role("link", name="Sign in with Microsoft").click()
    page.wait_for_url("https://login.lab.test/**")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site}/**")


def applications(page):
    """The applications in Odoo's menu, which is left open."""
    page.locator(".o_menu_apps a.full").click()
    page.locator("a.o_app").first.wait_for()
    return {text.strip() for text in page.locator("a.o_app").all_inner_texts()}


def test_store_staff_land_in_odoo_with_exactly_the_mapped_role(page, site, odoo):
    sign_in(page, site, "store")
    menu = applications(page)
    assert "Point of Sale" in menu
    assert not menu & ADMINISTRATION
    user = odoo.user("store")
    assert odoo.roles(user) == ["store"]
    assert set(user["groups_id"]) == odoo.conferred("store")
    assert page.locator(".oe_topbar_name").inner_text().startswith(user["name"])


def test_an_administrator_has_the_menus_that_store_staff_lack(page, site, odoo):
    sign_in(page, site, "administrator")
    assert applications(page) >= ADMINISTRATION
    assert odoo.roles(odoo.user("administrator")) == ["administrator"]


@pytest.mark.parametrize("name", REFUSED)
def test_who_must_not_get_in_is_told_and_stays_out(page, site, odoo, name):
    sign_in(page, site, name)
    told = page.locator(".alert-danger").inner_text()
    assert ("no role in this system is assigned" if name == "norole" else "was not accepted") in told
    assert odoo.user(name) is None
    another = page.context.new_page()
    another.goto(f"{site}/web")
    another.wait_for_url(f"{site}/web/login**")

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a copy of an Odoo database from acting on the world, for the series 14 to 19. Pure: no I/O, no Ansible.

Odoo has `neutralize` from 16 on: each module's data/neutralize.sql. Its rules are taken here by what they do, so that
14 and 15 have them too and a copy is judged by the same list as it is made. What waits to be sent is called off
besides, which Odoo's does not do. A rule whose table or column a database does not have does not apply to it.

Nothing here names a person or a shop, so that the list can be told whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control

FLAG = "database.is_neutralized"
NOWHERE = "neutralised.invalid"
_AUTOVACUUM = "SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND module = 'base' AND name = 'autovacuum_job'"


@dataclass(frozen=True)
class Rule:
    """Rows that would act, and what stops them.

    what: as an operator names it; table; needs: columns without which the rule does not apply; rows: the condition of
    those that would act; change: what is set in them.
    """

    what: str
    table: str
    needs: tuple[str, ...]
    rows: str
    change: str


RULES = (
    Rule("mail servers", "ir_mail_server", ("active",), f"active AND smtp_host <> '{NOWHERE}'", "active = false"),
    Rule("mailboxes that are fetched", "fetchmail_server", ("active",), "active", "active = false"),
    # The one job that Odoo leaves, too: it cleans up within the database.
    Rule("scheduled jobs", "ir_cron", ("active",), f"active AND id NOT IN ({_AUTOVACUUM})", "active = false"),
    Rule("automated actions", "base_automation", ("active",), "active", "active = false"),
    Rule(
        "webhooks",
        "ir_act_server",
        ("state", "webhook_url"),
        f"state = 'webhook' AND webhook_url IS DISTINCT FROM 'https://{NOWHERE}'",
        f"webhook_url = 'https://{NOWHERE}'",
    ),
    # Named acquirers until 15.
    Rule("payment acquirers", "payment_acquirer", ("state",), "state <> 'disabled'", "state = 'disabled'"),
    Rule("payment providers", "payment_provider", ("state",), "state <> 'disabled'", "state = 'disabled'"),
    Rule(
        "carriers in production",
        "delivery_carrier",
        ("prod_environment",),
        "prod_environment",
        "prod_environment = false",
    ),
    Rule(
        "carriers",
        "delivery_carrier",
        ("active", "delivery_type"),
        "active AND delivery_type NOT IN ('fixed', 'base_on_rule')",
        "active = false",
    ),
    Rule(
        "accounts of in-app purchases",
        "iap_account",
        ("account_token",),
        "account_token IS NOT NULL AND account_token NOT LIKE '%+disabled'",
        "account_token = account_token || '+disabled'",
    ),
    Rule("sign-in at others", "auth_oauth_provider", ("enabled",), "enabled", "enabled = false"),
    Rule("mails that wait", "mail_mail", ("state",), "state IN ('outgoing', 'exception')", "state = 'cancel'"),
    Rule("text messages that wait", "sms_sms", ("state",), "state IN ('outgoing', 'error')", "state = 'canceled'"),
    Rule(
        "jobs that wait",
        "queue_job",
        ("state",),
        "state IN ('wait_dependencies', 'pending', 'enqueued', 'started')",
        "state = 'cancelled'",
    ),
    Rule(
        "calendars at Google",
        "res_users",
        ("google_calendar_rtoken",),
        "google_calendar_rtoken IS NOT NULL",
        "google_calendar_rtoken = NULL",
    ),
    Rule(
        "calendars at Microsoft",
        "res_users",
        ("microsoft_calendar_rtoken",),
        "microsoft_calendar_rtoken IS NOT NULL",
        "microsoft_calendar_rtoken = NULL",
    ),
)


def applying(columns: Mapping[str, frozenset[str]]) -> list[Rule]:
    """The rules for a database with these tables → columns."""
    return [rule for rule in RULES if rule.table in columns and set(rule.needs) <= columns[rule.table]]


def refusal(database: Mapping, url: str, original: Mapping) -> str | None:
    """Why this is no copy: it is the original, or would be taken for it."""
    same = set(database["hosts"].values()) & set(original["addresses"])
    if database["name"] == original["name"] and same:
        return f"database: {database['name']} on {', '.join(sorted(same))} is what the estate serves; name its copy"
    if url.rstrip("/") == original["url"].rstrip("/"):
        return f"url: {url} is the original's; a copy has an address of its own"
    return None


@dataclass(frozen=True)
class Found:
    """What was read.

    acting: what → number of rows that would act, for each rule that applies; nowhere: whether all mail goes to a server
    that is none; flag: whether Odoo knows; parameters: system parameters that are to differ from the original's.
    """

    acting: Mapping[str, int]
    nowhere: bool
    flag: bool
    parameters: Mapping[str, str]


def plan(found: Found, url: str) -> list[Change]:
    """One change for each kind of thing that would act."""
    changes = [
        Change(what, "update", f"{count} act", "none acts", data=("rule", what))
        for what, count in found.acting.items()
        if count
    ]
    if not found.nowhere:
        # Without any server Odoo takes the one of its configuration, which is this host.
        changes.append(Change("mail server", "create", None, NOWHERE, data=("nowhere", NOWHERE)))
    for key, value in parameters(url).items():
        seen = found.parameters.get(key)
        if seen != value:
            action = "create" if seen is None else "update"
            changes.append(Change(f"system parameter {key}", action, seen, value, data=("parameter", key, value)))
    if not found.flag:
        changes.append(Change("the mark of a neutralised copy", "create", None, FLAG, data=("flag", FLAG)))
    return changes


def parameters(url: str) -> dict[str, str]:
    """Links in a copy lead to the copy, whoever signs in."""
    return {"web.base.url": url, "web.base.url.freeze": "True"}


def controls(found: Found, url: str) -> list[Control]:
    """Nothing of the copy acts on the world."""
    acting = {what: count for what, count in found.acting.items() if count}
    seen = {key: found.parameters.get(key) for key in parameters(url)}
    check = Control.check
    return [
        check(
            "odoo.copy.acting", "Nothing in the copy acts on the world", acting, {}, "neutralise it before it serves"
        ),
        check("odoo.copy.mail", "Mail of the copy leads nowhere", found.nowhere, True),
        check("odoo.copy.url", "Links in the copy lead to the copy", seen, parameters(url)),
        check("odoo.copy.flag", "Odoo knows that it is a copy", found.flag, True),
    ]

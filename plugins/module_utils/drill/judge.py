# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run inside a drill's Odoo container, which has no network: signs in, makes an order, reads an attachment.

Prints one line of JSON. Odoo's own Python runs it, from 3.7 on; it needs nothing but the standard library. XML-RPC is
what all series from 14 to 19 speak (odoo/addons/base/controllers/rpc.py).

usage: python3 judge.py FILE       (JSON: database, login, password, patience_s)
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
import xmlrpc.client

SITE = "http://127.0.0.1:8069"


def sign_in(said):
    """The user's id, asked until Odoo is up or patience ends."""
    end = time.monotonic() + said["patience_s"]
    while True:
        try:
            common = xmlrpc.client.ServerProxy(SITE + "/xmlrpc/2/common")
            return common.authenticate(said["database"], said["login"], said["password"], {})
        except (OSError, xmlrpc.client.ProtocolError):
            if time.monotonic() > end:
                raise
            # Whoever waits for an answer hears that there will be one.
            sys.stdout.write(".\n")
            sys.stdout.flush()
            time.sleep(1)


def order(call):
    """An order of the first thing that is sold, confirmed; a customer where nothing is sold."""
    customer = call("res.partner", "create", {"name": "Restore drill"})
    if not call("ir.model", "search_count", [["model", "=", "sale.order"]]):
        return {"order": bool(customer), "made": "res.partner"}
    found = call("product.product", "search", [["sale_ok", "=", True]], 0, 1)
    product = found[0] if found else call("product.product", "create", {"name": "Restore drill"})
    line = (0, 0, {"product_id": product, "product_uom_qty": 1})
    made = call("sale.order", "create", {"partner_id": customer, "order_line": [line]})
    call("sale.order", "action_confirm", [made])
    (seen,) = call("sale.order", "read", [made], ["name", "state"])
    return {"order": seen["state"] in ("sale", "done"), "made": "sale.order"}


def attachment(call):
    """The content of one stored file, held against its sum."""
    domain = [["store_fname", "!=", False], ["res_field", "=", False]]
    rows = call("ir.attachment", "search_read", domain, ["checksum", "datas"], 0, 1)
    if not rows:
        return {"attachment": True, "read": 0}
    content = base64.b64decode(rows[0]["datas"] or b"")
    return {"attachment": hashlib.sha1(content).hexdigest() == rows[0]["checksum"], "read": len(content)}


def main(path):
    with open(path) as file:
        said = json.load(file)
    answers = {"login": False}
    try:
        uid = sign_in(said)
        answers["login"] = bool(uid)
        if uid:
            server = xmlrpc.client.ServerProxy(SITE + "/xmlrpc/2/object", allow_none=True)

            def call(model, method, *args):
                return server.execute_kw(said["database"], uid, said["password"], model, method, args)

            answers.update(order(call))
            answers.update(attachment(call))
    except xmlrpc.client.Fault as fault:
        answers["error"] = (fault.faultString or "").strip().splitlines()[-1]
    except (OSError, xmlrpc.client.ProtocolError) as err:
        answers["error"] = f"{type(err).__name__}: {err}"
    sys.stdout.write(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaded by every server process (server_wide_modules), never installed in a database. Odoo 14 to 19.

Options of odoo.conf, all with the prefix estate_session_redis_: host, port, db, username, password, ca_file.
"""

import logging

import odoo.http
import redis
from odoo.tools import config

from .store import answering, make_store

_logger = logging.getLogger(__name__)
PREFIX = "estate_session_redis_"


def _option(name):
    value = config.get(PREFIX + name)
    if not value:
        raise RuntimeError(f"odoo.conf lacks {PREFIX}{name}")
    return value


def _client():
    """A client that connects at first use, so that the server starts while Redis does not answer yet."""
    return redis.Redis(
        host=_option("host"),
        port=int(_option("port")),
        db=int(config.get(PREFIX + "db") or 0),
        username=_option("username"),
        password=_option("password"),
        ssl=True,
        ssl_ca_certs=_option("ca_file"),
        ssl_cert_reqs="required",
        ssl_check_hostname=True,
        # A worker waits this long at most; then it says 503 instead of holding everybody up.
        socket_connect_timeout=2,
        socket_timeout=2,
        socket_keepalive=True,
        health_check_interval=30,
    )


def _session_classes():
    """(store class of Odoo, session class): their places differ between the series."""
    http = odoo.http
    if hasattr(http, "FilesystemSessionStore"):  # 16 and later
        return http.FilesystemSessionStore, http.Session
    return http.sessions.FilesystemSessionStore, http.OpenERPSession  # 14, 15


def _install():
    base, session_class = _session_classes()
    store = make_store(base)(_client(), path=config.session_dir, session_class=session_class)
    # An attribute of the instance goes before the lazy property of its class, in all series.
    odoo.http.root.session_store = store
    application = type(odoo.http.root)
    application.__call__ = answering(application.__call__)
    if hasattr(odoo.http, "session_gc"):  # 14, 15: looks for old files at random requests; Redis forgets by itself
        odoo.http.session_gc = lambda session_store: None
    _logger.info("sessions are kept in Redis at %s:%s", _option("host"), _option("port"))


_install()

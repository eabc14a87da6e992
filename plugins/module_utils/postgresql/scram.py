# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers (RFC 5803) as PostgreSQL keeps them, made and checked here, so no server sees a password."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

ITERATIONS = 4096
"""PostgreSQL's own default; a client pays it at every connection, and the passwords are long and random."""


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """The text for pg_authid.rolpassword. Raises EstateError for a password that SASLprep could change."""
    if not password or not all(" " <= character <= "~" for character in password):
        raise EstateError("a PostgreSQL password must be printable ASCII and not empty: choose another one")
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server_key = _hmac(salted, b"Server Key")
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def matches(stored: str | None, password: str) -> bool:
    """Whether this verifier was made from this password; False for none, for md5 and for anything unreadable."""
    try:
        scheme, rounds_and_salt, _keys = (stored or "").split("$")
        rounds, salt = rounds_and_salt.split(":")
        if scheme != "SCRAM-SHA-256":
            return False
        return hmac.compare_digest(stored or "", verifier(password, base64.b64decode(salt, validate=True), int(rounds)))
    except (ValueError, binascii.Error):
        return False


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sign-in must satisfy, apart from Odoo and without I/O: attempts, claims, redirects.

An attempt is what one press of the sign-in button binds to the browser's session: the state, the nonce and the PKCE
verifier, each random, each good for one answer of the provider within ATTEMPT_LIFETIME_S.
"""

import base64
import hashlib
import hmac
import re
import secrets
import uuid

ATTEMPT_LIFETIME_S = 600
# Sign-ins a person may have open in several tabs of one browser; the oldest gives way.
ATTEMPTS_PER_SESSION = 5
# How far the clocks of the provider and of this host may be apart.
LEEWAY_S = 60
SESSION_KEY = "estate_auth_entra_attempts"


class Refused(Exception):
    """A sign-in that is refused. code: for the person's message; detail: for the log, never a token or a secret."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code = code
        self.detail = detail


def new_attempt(provider, redirect, now):
    """An attempt for the provider's database id, as plain values a session store of any kind can keep."""
    return {
        "key": secrets.token_urlsafe(24),
        "nonce": secrets.token_urlsafe(32),
        "verifier": secrets.token_urlsafe(64),
        "provider": provider,
        "redirect": redirect,
        "made": int(now),
    }


def challenge(verifier):
    """The PKCE S256 challenge of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def keep(attempts, attempt):
    """The session's attempts with this one added; the oldest fall out."""
    kept = sorted((attempts or {}).values(), key=lambda each: each["made"])[-(ATTEMPTS_PER_SESSION - 1) :]
    return {each["key"]: each for each in [*kept, attempt]}


def take(attempts, state, now):
    """The attempt a provider's answer belongs to; refused unless this very browser started it, lately.

    state: the state as it came back, compared whole: a changed one (redirect, database, context) belongs to nothing.
    """
    for attempt in (attempts or {}).values():
        if hmac.compare_digest(attempt["state"].encode(), str(state).encode()):
            if not 0 <= now - attempt["made"] <= ATTEMPT_LIFETIME_S:
                raise Refused("expired", "the sign-in was answered too late")
            return attempt
    raise Refused("state", "the answer belongs to no sign-in that this browser started")


def local_path(redirect):
    """The redirect if it is a path of this site, otherwise the start page: no sign-in ends on a foreign site."""
    if redirect and re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", redirect):
        return redirect
    return "/web"


def check_claims(claims, expected, now):
    """Refuse unless a correctly signed token is for us, of our tenant, for this attempt and timely; return its claims.

    expected: iss, tid, aud and nonce, none of them empty; now: seconds since 1970.
    """
    for name, value in {"ver": "2.0", **expected}.items():
        if not value or claims.get(name) != value:
            raise Refused("token", f"claim {name} is {shown(claims.get(name))}, expected {shown(value)}")
    for name in ("exp", "iat"):
        if not _is_time(claims.get(name)):
            raise Refused("token", f"claim {name} is missing")
    if now > claims["exp"] + LEEWAY_S:
        raise Refused("token", f"the token expired {now - claims['exp']:.0f} s ago")
    if claims["iat"] > now + LEEWAY_S:
        raise Refused("token", f"the token is issued {claims['iat'] - now:.0f} s in the future")
    if "nbf" in claims and (not _is_time(claims["nbf"]) or now < claims["nbf"] - LEEWAY_S):
        raise Refused("token", "the token is not valid yet")
    person(claims)
    return claims


def person(claims):
    """The person's object id (oid) in the tenant, in one spelling. Never the name or the mail: both change hands."""
    try:
        return str(uuid.UUID(claims["oid"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Refused("token", "claim oid is no object id") from None


def app_roles(claims):
    """The app roles the tenant assigned, as a sorted list of distinct values."""
    roles = claims.get("roles") or []
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Refused("token", "claim roles is no list of names")
    return sorted(set(roles))


def shown(value):
    """A claim as it may stand in a log: short, printable, on one line."""
    return re.sub(r"[^\x20-\x7e]", "?", repr(value))[:120]


def _is_time(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)

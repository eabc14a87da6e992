# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session store. No Odoo in here: its base class and session class are handed in.

A session is one key, "session:<sid>", written in one command together with its lifetime. Its value is JSON, not a
pickle: who can write to Redis must not be able to run code in Odoo.
"""

import datetime
import json
import logging
import time

import redis
from werkzeug.exceptions import ServiceUnavailable

_logger = logging.getLogger(__name__)

PREFIX = "session:"
#: As long as Odoo keeps a session file that nobody writes to.
LIFETIME_S = 7 * 24 * 3600
#: Visitors and health checks that hold nothing: long enough to fill in the sign-in form.
BLANK_LIFETIME_S = 3600
#: What a session has without anybody behind it: what every one has, and sign-ins only begun, which last minutes.
#: Anything else (a cart, a second factor under way) is worth keeping.
BLANK_KEYS = frozenset(
    {"db", "uid", "login", "session_token", "context", "debug", "geoip", "create_time", "_trace", "_geoip"}
    | {"estate_auth_entra_attempts"}
)
#: Waits before each further try: a restart of Redis is over by then, a person has hardly noticed.
RETRY_AFTER_S = (0.1, 0.4, 1.0)
#: Seconds during which a failure counts for the requests after it.
KNOWN_FOR_S = 2
#: Characters of a session's key that Odoo (17 and later) stores as the identifier of a device.
IDENTIFIER_CHARACTERS = 42


def encode(data):
    """A session's data as text. Dates and sets survive, tuples come back as lists; what JSON cannot say is refused."""
    return json.dumps(data, default=_tagged, separators=(",", ":"))


def decode(text):
    """The data of a session; nothing when it is not ours."""
    try:
        data = json.loads(text, object_hook=_untagged)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _tagged(value):
    if isinstance(value, datetime.datetime):
        return {"__datetime__": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"__date__": value.isoformat()}
    if isinstance(value, (set, frozenset)):
        return {"__set__": sorted(value, key=repr)}
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"a session cannot hold a {type(value).__name__}")


def _untagged(value):
    if len(value) == 1:
        if "__datetime__" in value:
            return datetime.datetime.fromisoformat(value["__datetime__"])
        if "__date__" in value:
            return datetime.date.fromisoformat(value["__date__"])
        if "__set__" in value:
            return set(value["__set__"])
    return value


def lifetime(data):
    """Seconds a session is kept after its last change."""
    held = {key for key, value in data.items() if value not in (None, False, "", {}, [])}
    return LIFETIME_S if data.get("uid") or held - BLANK_KEYS else BLANK_LIFETIME_S


def answering(call):
    """A WSGI application's call that turns a session's 503 into an answer wherever it was raised.

    Odoo 14 and 15 ask for the session once more while they send the headers, outside their own handling of errors.
    """

    def __call__(self, environ, start_response):
        try:
            return call(self, environ, start_response)
        except ServiceUnavailable as err:
            return err(environ, start_response)

    return __call__


def make_store(base):
    """The store as a subclass of this Odoo's own, whose ways to make, check and rotate keys stay in force."""

    class RedisSessionStore(base):
        """Sessions in Redis. While Redis does not answer, requests get 503 and keep their cookie."""

        def __init__(self, client, path, session_class):
            super().__init__(path, session_class=session_class, renew_missing=True)
            self._redis = client
            self._away_since = None

        def _ask(self, command, *args, **kwargs):
            # While it is known to be away nobody waits for it: one request asks twice or thrice for its session.
            known = self._away_since is not None and time.monotonic() - self._away_since < KNOWN_FOR_S
            for wait in (*(() if known else RETRY_AFTER_S), None):
                try:
                    answer = getattr(self._redis, command)(*args, **kwargs)
                    self._away_since = None
                    return answer
                except (redis.ConnectionError, redis.TimeoutError) as err:
                    cause = err
                    # A wrong password does not get better by trying again.
                    if wait is None or isinstance(err, redis.AuthenticationError):
                        break
                    time.sleep(wait)
                except redis.RedisError as err:
                    cause = err
                    break
            self._away_since = time.monotonic()
            _logger.error("Redis does not %s a session: %s", command, cause)
            raise ServiceUnavailable("Sessions are not available at the moment. Please try again shortly.")

        def save(self, session):
            data = dict(session)
            self._ask("set", PREFIX + session.sid, encode(data), ex=lifetime(data))

        def delete(self, session):
            self._ask("delete", PREFIX + session.sid)

        def get(self, sid):
            # A key that nobody could have made is not asked for.
            text = self._ask("get", PREFIX + sid) if self.is_valid_key(sid) else None
            if text is None:
                return self.new()
            return self.session_class(decode(text), sid, False)

        def list(self):
            return [key[len(PREFIX) :] for key in self._keys("*")]

        def _keys(self, pattern):
            cursor, found = None, set()
            while cursor != 0:
                cursor, keys = self._ask("scan", cursor or 0, match=PREFIX + pattern, count=1000)
                found.update(key.decode() for key in keys)
            return sorted(found)

        def vacuum(self, *args, **kwargs):
            """Odoo 16 and later, daily: nothing to do, Redis forgets by itself."""

        def get_missing_session_identifiers(self, identifiers):
            """Odoo 17 and later: which of these devices have no session any more."""
            return set(identifiers) - {sid[:IDENTIFIER_CHARACTERS] for sid in self.list()}

        def delete_from_identifiers(self, identifiers):
            """Odoo 17 and later: sign these devices out."""
            wanted = set(identifiers)
            for sid in self.list():
                if sid[:IDENTIFIER_CHARACTERS] in wanted:
                    self._ask("delete", PREFIX + sid)

    return RedisSessionStore

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider's signing keys and the signature check. Each worker keeps keys of its own for a while."""

import logging
import threading
import time

import requests

from .tokens import Refused

try:
    from jose import jws
    from jose.exceptions import JOSEError
except ImportError:
    logging.getLogger(__name__).debug("python-jose is not installed")

ALGORITHM = "RS256"
TIMEOUT_S = 10
KEPT_S = 3600
# A key may be newer than the last look: then we look again, though not for every token that fits no key.
LOOK_AGAIN_S = 10

_kept = {}
_lock = threading.Lock()


def verified(token, jwks_uri):
    """The token's payload (bytes), once its signature by one of the provider's keys is proven."""
    try:
        header = jws.get_unverified_header(token)
    except JOSEError:
        raise Refused("token", "the answer is no signed token") from None
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
        raise Refused("token", f"the token is not signed by {ALGORITHM} with a named key")
    for keys in _looks(jwks_uri):
        for key in keys:
            if key["kid"] == header["kid"]:
                try:
                    return jws.verify(token, key, algorithms=[ALGORITHM])
                except JOSEError:
                    continue
    raise Refused("token", "no key of the provider made the token's signature")


def _looks(jwks_uri):
    """The provider's keys as they are kept, then, unless these are a few seconds old, as they are now."""
    for kept_s in (KEPT_S, LOOK_AGAIN_S):
        with _lock:
            read, keys = _kept.get(jwks_uri, (float("-inf"), []))
            if time.monotonic() - read > kept_s:
                keys = _fetch(jwks_uri)
                _kept[jwks_uri] = (time.monotonic(), keys)
        yield keys


def _fetch(jwks_uri):
    try:
        response = requests.get(jwks_uri, timeout=TIMEOUT_S, allow_redirects=False)
        response.raise_for_status()
        keys = response.json()["keys"]
        return [key for key in keys if key.get("kty") == "RSA" and key.get("use", "sig") == "sig" and key.get("kid")]
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as err:
        raise Refused("provider", f"the provider's keys cannot be read: {type(err).__name__}") from None

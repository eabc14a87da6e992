# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sealed opens with the recovery key, by the steps of the format's description, and with nothing else.

That age itself opens it is tried on a host (tests/integration/test_points.py).
"""

from __future__ import annotations

import base64
import hmac

import pytest
from ansible.errors import AnsibleFilterError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.filter.sealed import sealed
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.plugin_utils import sealing

#: The pair that age-keygen gives for the secret of 32 bytes 1.
SECRET = bytes([1]) * 32
SECRETS = "canary-secret " * 40


def raw(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def recipient(key=SECRET):
    """The text of a public key: Bech32 by its description."""
    bits = "".join(f"{byte:08b}" for byte in raw(X25519PrivateKey.from_private_bytes(key))) + "0000"
    words = [int(bits[at : at + 5], 2) for at in range(0, 260, 5)]
    prefix = [ord(letter) >> 5 for letter in "age"] + [0] + [ord(letter) & 31 for letter in "age"]
    rest = sealing._checksum(prefix + words + [0] * 6) ^ 1
    words += [rest >> 5 * (5 - at) & 31 for at in range(6)]
    return "age1" + "".join(sealing._BECH32[word] for word in words)


def opened(text, key=SECRET):
    """The content of an armoured file, as whoever holds the key opens it."""
    lines = text.strip().splitlines()
    assert lines[0].startswith("-----BEGIN AGE")
    assert lines[-1].startswith("-----END AGE")
    assert all(len(line) <= 64 for line in lines[1:-1])
    data = base64.b64decode("".join(lines[1:-1]))
    version, stanza, body, rest = data.split(b"\n", 3)
    mac, payload = rest.split(b"\n", 1)
    own, share = X25519PrivateKey.from_private_bytes(key), undone(stanza.split(b" ")[2])
    wrap = sealing._hkdf(
        own.exchange(X25519PublicKey.from_public_bytes(share)), share + raw(own), b"age-encryption.org/v1/X25519"
    )
    file_key = ChaCha20Poly1305(wrap).decrypt(bytes(12), undone(body), None)
    said = b"\n".join([version, stanza, body, b"---"])
    assert mac == b"--- " + base64.b64encode(
        hmac.digest(sealing._hkdf(file_key, b"", b"header"), said, "sha256")
    ).rstrip(b"=")
    cipher, content = ChaCha20Poly1305(sealing._hkdf(file_key, payload[:16], b"payload")), b""
    pieces = [payload[at : at + sealing.PIECE + 16] for at in range(16, len(payload), sealing.PIECE + 16)]
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        content += cipher.decrypt(number.to_bytes(11, "big") + bytes([last]), piece, None)
    return content.decode()


def undone(text):
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def test_the_key_opens_it_and_another_does_not():
    text = sealing.seal(SECRETS, recipient())
    assert opened(text) == SECRETS
    assert "canary" not in text
    with pytest.raises(InvalidTag):
        opened(text, bytes([2]) * 32)


@settings(max_examples=20, deadline=None)
@given(st.integers(sealing.LEAST, 3 * sealing.PIECE), st.binary(min_size=32, max_size=32))
def test_any_length_comes_back(length, key):
    text = ("0123456789" * (length // 10 + 1))[:length]
    assert opened(sealing.seal(text, recipient(key)), key) == text


@pytest.mark.parametrize("length", [sealing.PIECE, 2 * sealing.PIECE])
def test_whole_pieces_have_no_empty_one_behind_them(length):
    assert opened(sealing.seal("x" * length, recipient())) == "x" * length


def test_the_same_secrets_give_the_same_file_and_others_share_nothing():
    one, again = sealing.seal(SECRETS, recipient()), sealing.seal(SECRETS, recipient())
    other, elsewhere = sealing.seal(SECRETS + "x", recipient()), sealing.seal(SECRETS, recipient(bytes([2]) * 32))
    assert one == again
    assert len({text.splitlines()[2] for text in (one, other, elsewhere)}) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "age1",
        recipient()[:-1],
        recipient()[:-1] + "q",
        recipient().replace("age1", "age2"),
        "AGE" + recipient()[3:],
    ],
)
def test_what_is_no_recipient_is_refused_without_the_text(wrong):
    with pytest.raises(AnsibleFilterError, match="recovery key: is not the public part") as raised:
        sealed(SECRETS, wrong)
    assert "canary" not in str(raised.value)


def test_a_text_that_could_be_guessed_is_refused():
    with pytest.raises(EstateError, match="fewer than 200 bytes"):
        sealing.seal("short", recipient())

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text sealed to a recovery key, so that only its holder can open it: the format of age, version 1, armoured.

Sealing happens on the controller, as the estate's secrets hold what no host may see (the authority's key). The format
is that of C2SP's age.md: a file key, wrapped for an X25519 recipient by HKDF-SHA256 and ChaCha20-Poly1305, and a
payload in pieces of 64 KiB. age opens it: `age --decrypt --identity <recovery key>`.

What age draws at random is derived from the text and the recipient here: the same secrets give the same file, so a
second run changes nothing. The text is then its own seed, and has to be one that nobody can guess.
"""

from __future__ import annotations

import base64
import hmac
import textwrap

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

try:
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as error:
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

VERSION = "age-encryption.org/v1"
PIECE = 64 * 1024
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
#: Bytes of text that hold enough chance: one secret of the vault has 24 random characters or more.
LEAST = 200


def public_key(recipient: str) -> bytes:
    """The 32 bytes of a recipient such as age1…, whose text carries its own checksum (BIP 173, Bech32)."""
    wrong = EstateError("is not the public part of a recovery key; age-keygen prints one, and it begins with age1")
    prefix, parting, data = recipient.lower().rpartition("1")
    if recipient not in (recipient.lower(), recipient.upper()) or (prefix, parting) != ("age", "1"):
        raise wrong
    if len(data) != 58 or any(letter not in _BECH32 for letter in data):
        raise wrong
    words = [_BECH32.index(letter) for letter in data]
    expanded = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    if _checksum(expanded + words) != 1:
        raise wrong
    bits = "".join(f"{word:05b}" for word in words[:-6])
    return bytes(int(bits[at : at + 8], 2) for at in range(0, 256, 8))


def _checksum(words: list[int]) -> int:
    value = 1
    for word in words:
        top = value >> 25
        value = (value & 0x1FFFFFF) << 5 ^ word
        for bit, factor in enumerate(_GENERATOR):
            value ^= factor if top >> bit & 1 else 0
    return value


def seal(text: str, recipient: str) -> str:
    """The text as an armoured age file. EstateError for a recipient that is none, or a text too short to be safe."""
    if IMPORT_ERROR:
        raise EstateError(f"the controller lacks the Python package cryptography: {IMPORT_ERROR}")
    content, to = text.encode(), public_key(recipient)
    if len(content) < LEAST:
        raise EstateError(
            f"a text of fewer than {LEAST} bytes is not sealed in this way: who guesses it could prove it"
        )
    file_key, ephemeral, nonce = (_derived(content, to, use, size) for use, size in _DRAWN)
    header = _header(file_key, ephemeral, to)
    payload_key = _hkdf(file_key, nonce, b"payload")
    return _armoured(header + nonce + _payload(content, payload_key))


_DRAWN = ((b"file key", 16), (b"ephemeral", 32), (b"nonce", 16))


def _derived(content: bytes, to: bytes, use: bytes, size: int) -> bytes:
    return _hkdf(content, to, b"retailerp.estate sealed " + use, size)


def _hkdf(secret: bytes, salt: bytes, use: bytes, size: int = 32) -> bytes:
    return HKDF(hashes.SHA256(), size, salt, use).derive(secret)


def _header(file_key: bytes, ephemeral: bytes, to: bytes) -> bytes:
    own = X25519PrivateKey.from_private_bytes(ephemeral)
    share = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(to))
    except (ValueError, InvalidKey):
        raise EstateError("is a recovery key of low order, which hides nothing") from None
    wrap = _hkdf(shared, share + to, f"{VERSION}/X25519".encode())
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    lines = [VERSION, f"-> X25519 {_base64(share)}", _base64(body), "---"]
    said = "\n".join(lines).encode()
    mac = hmac.digest(_hkdf(file_key, b"", b"header"), said, "sha256")
    return said + f" {_base64(mac)}\n".encode()


def _payload(content: bytes, key: bytes) -> bytes:
    pieces = [content[at : at + PIECE] for at in range(0, len(content), PIECE)]
    cipher, last = ChaCha20Poly1305(key), len(pieces) - 1
    return b"".join(
        cipher.encrypt(number.to_bytes(11, "big") + bytes([number == last]), piece, None)
        for number, piece in enumerate(pieces)
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _armoured(data: bytes) -> str:
    body = textwrap.wrap(base64.b64encode(data).decode(), 64)
    return "\n".join(["-----BEGIN AGE ENCRYPTED FILE-----", *body, "-----END AGE ENCRYPTED FILE-----", ""])

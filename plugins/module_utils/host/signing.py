# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issuing a certificate for a host's public key. Runs on the controller only: the authority's key never leaves it."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.certificate import RENEW_BEFORE_DAYS, VALID_DAYS
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    CRYPTOGRAPHY_ERROR = None
except ImportError as err:
    CRYPTOGRAPHY_ERROR = err

CLOCK_SKEW = datetime.timedelta(minutes=5)
COMMON_NAME_LENGTH = 64


def issue(public_key: str, names: list[str], ca_certificate: str, ca_private_key: str) -> str:
    """A certificate (PEM) for the public key (PEM), for server and client use, signed by the authority."""
    if CRYPTOGRAPHY_ERROR is not None:
        raise EstateError(f"the controller needs the Python package cryptography: {CRYPTOGRAPHY_ERROR}")
    try:
        authority = x509.load_pem_x509_certificate(ca_certificate.encode())
        signer: Any = serialization.load_pem_private_key(ca_private_key.encode(), password=None)
        subject_key = serialization.load_pem_public_key(public_key.encode())
    except (ValueError, TypeError) as err:
        raise EstateError(
            "ca_certificate or ca_private_key is no readable PEM (an encrypted key is not taken)"
        ) from err
    if signer.public_key() != authority.public_key():
        raise EstateError("ca_private_key does not belong to ca_certificate")
    now = datetime.datetime.now(datetime.timezone.utc)
    if authority.not_valid_after_utc - now <= datetime.timedelta(days=RENEW_BEFORE_DAYS):
        raise EstateError(
            f"the estate's authority ends on {authority.not_valid_after_utc:%Y-%m-%d}; make a new one first"
        )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:COMMON_NAME_LENGTH])]))
        .issuer_name(authority.subject)
        .public_key(subject_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(now + datetime.timedelta(days=VALID_DAYS), authority.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    certificate = builder.sign(signer, None if _signs_by_itself(signer) else hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _general(name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage() -> Any:
    used = {"digital_signature": True}
    others = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**used, **dict.fromkeys(others, False))


def _signs_by_itself(signer: Any) -> bool:
    """Whether the key's algorithm brings its own digest (Ed25519, Ed448)."""
    return type(signer).__name__.startswith(("Ed25519", "Ed448"))

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the two halves of the estate's authority are what they should be. No message repeats any of them."""

from __future__ import annotations

import datetime

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem

#: A certificate signed today must not outlive its authority by surprise.
LEAST_DAYS = 90
_CERTIFICATE, _KEY = "estate_secrets.ca_certificate", "estate_secrets.ca_private_key"


def problems(secrets):
    """Problems of estate_secrets' authority; none while a half of it is missing, locked or no PEM (told elsewhere)."""
    halves = [secrets.get(name) if isinstance(secrets, dict) else None for name in ("ca_certificate", "ca_private_key")]
    if not all(isinstance(half, str) and "-----BEGIN " in half for half in halves):
        return []
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        certificate = x509.load_pem_x509_certificate(halves[0].encode())
    except ValueError:
        return [Problem(_CERTIFICATE, "cannot be read; let retailerp.estate.estate_secrets make both halves anew")]
    try:
        key = serialization.load_pem_private_key(halves[1].encode(), password=None)
    except (ValueError, TypeError):
        return [Problem(_KEY, "cannot be read; it must be PEM without a passphrase (ansible-vault encrypts it)")]
    found = []
    if _public(certificate.public_key()) != _public(key.public_key()):
        found.append(Problem(_KEY, "does not belong to ca_certificate"))
    left = (certificate.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)).days
    if left < LEAST_DAYS:
        found.append(Problem(_CERTIFICATE, f"ends in {left} days, {LEAST_DAYS} are the least; renew the authority"))
    try:
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        found.append(Problem(_CERTIFICATE, "is not the certificate of an authority (CA:TRUE is missing)"))
    return found


def _public(key):
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

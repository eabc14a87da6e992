# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate's authority: what the collection makes is accepted, halves that do not fit are not."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.retailerp.estate.plugins.plugin_utils import authority, vault


def told(certificate, key):
    return [str(problem) for problem in authority.problems({"ca_certificate": certificate, "ca_private_key": key})]


def made(days, ca):
    """A certificate of this many days, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1000))
    builder = builder.not_valid_after(now + datetime.timedelta(days=days, hours=1))
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return builder.sign(key, hashes.SHA256()).public_bytes(pem).decode(), private.decode()


def test_what_the_collection_makes_is_accepted():
    assert told(*vault.authority("shop")) == []


def test_the_name_of_the_estate_is_in_the_certificate():
    certificate = x509.load_pem_x509_certificate(vault.authority("shop")[0].encode())
    assert certificate.subject.rfc4514_string() == "CN=shop estate authority"


def test_halves_of_two_authorities():
    one, other = vault.authority("one"), vault.authority("other")
    assert told(one[0], other[1]) == ["estate_secrets.ca_private_key: does not belong to ca_certificate"]


@pytest.mark.parametrize(
    ("days", "ca", "words"),
    [
        (20, True, "ca_certificate: ends in 20 days"),
        (-20, True, "ca_certificate: ends in -20 days"),
        (900, False, "is not the certificate of an authority"),
        (900, None, "is not the certificate of an authority"),
    ],
)
def test_a_certificate_that_will_not_do(days, ca, words):
    assert [line for line in told(*made(days, ca)) if words in line]


def test_halves_that_cannot_be_read():
    certificate, key = vault.authority("shop")
    broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    assert "ca_certificate: cannot be read" in told(broken, key)[0]
    assert "ca_private_key: cannot be read" in told(certificate, key.replace(key[40:60], "x" * 20))[0]


@pytest.mark.parametrize("secrets", [None, {}, {"ca_certificate": "x", "ca_private_key": "y"}])
def test_what_others_tell_is_not_told_twice(secrets):
    assert authority.problems(secrets) == []

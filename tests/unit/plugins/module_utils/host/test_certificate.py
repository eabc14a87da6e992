# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""tls_certificate with a real openssl on one side and a real authority on the other."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.host import certificate as subject
from ansible_collections.retailerp.estate.plugins.module_utils.host.certificate import Certificate, CertificateSpec
from ansible_collections.retailerp.estate.plugins.module_utils.host.journal import Journal
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import UnitSpec
from ansible_collections.retailerp.estate.plugins.module_utils.host.signing import issue
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError, diff_of

x509 = pytest.importorskip("cryptography.x509")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def authority(name: str, days: int = 3650) -> tuple[str, str]:
    """A new authority: certificate and key, both PEM."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(subject_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


CA, CA_KEY = authority("estate")


@pytest.fixture
def wanted(workshop) -> CertificateSpec:
    """A certificate for a name and two addresses."""
    directory = str(workshop.etc / "tls")
    return CertificateSpec(
        "app", directory, ["db1", "10.77.0.31", "fd00::1"], CA, units=[UnitSpec("app.service", "reload")]
    )


@pytest.fixture
def on_host(workshop, monkeypatch):
    """Runs the capability as the module does, and signs as the action plugin does."""
    monkeypatch.setattr(Certificate, "_journal", lambda _self: workshop.journal())

    def converge(wanted: CertificateSpec, ca_key: str = CA_KEY, check_mode: bool = False) -> list[str]:
        def made(issued=None):
            one = Certificate(wanted, workshop.host, check_mode, issued)
            one._staging = str(workshop.host.root / "staged.key")
            return one

        one = made()
        if not check_mode and subject.reasons_for_renewal(wanted, one.inspect()):
            public = one.stage_key()
            one = made(issue(public, wanted.names, wanted.ca, ca_key))
        changes = one.plan(one.read())
        told = json.dumps([[change.report() for change in changes], diff_of(changes)])
        assert "PRIVATE KEY" not in told
        if changes and not check_mode:
            one.apply(changes)
            current = one.read()
            assert one.plan(current) == []
            assert {control.state for control in one.controls(current)} == {"pass"}
            assert not os.path.exists(one._staging)
        return [f"{change.action} {change.resource.rpartition('/')[2]}" for change in changes]

    real = workshop.host.write
    workshop.host.write = lambda path, content, _uid, _gid, mode: real(path, content, os.getuid(), os.getgid(), mode)
    return converge


def test_issued_once_and_then_left_alone(workshop, wanted, on_host):
    planned = on_host(wanted, check_mode=True)
    assert workshop.host.tree() == {}
    assert on_host(wanted) == planned == ["create cert.pem", "create tls", "create ca.pem", "reload unit app.service"]
    assert workshop.host.tree()["etc/tls/key.pem"][1] == 0o600
    assert on_host(wanted) == []


def test_clients_accept_it_for_its_names_and_addresses_only(workshop, wanted, on_host):
    on_host(wanted)
    verify = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", f"{wanted.directory}/ca.pem"]
    for option, name, holds in (
        ("-verify_hostname", "db1", True),
        ("-verify_ip", "10.77.0.31", True),
        ("-verify_ip", "fd00::1", True),
        ("-verify_hostname", "db2", False),
        ("-verify_ip", "10.77.0.32", False),
    ):
        done = subprocess.run([*verify, option, name, wanted.certificate], capture_output=True, check=False)
        assert (done.returncode == 0) is holds, (name, done.stderr)


def test_a_new_key_comes_with_every_certificate(workshop, wanted, on_host):
    on_host(wanted)
    key = workshop.host.tree()["etc/tls/key.pem"]
    told = on_host(replace(wanted, names=["db1", "db9"]))
    assert told == ["update cert.pem", "reload unit app.service"]
    assert workshop.host.tree()["etc/tls/key.pem"][0] != key[0]


def test_another_authority_means_another_certificate(workshop, wanted, on_host):
    on_host(wanted)
    other, other_key = authority("another")
    told = on_host(replace(wanted, ca=other), other_key)
    assert told == ["update cert.pem", "update ca.pem", "reload unit app.service"]


def test_renewed_before_it_ends(workshop, wanted, on_host, monkeypatch):
    on_host(wanted)
    monkeypatch.setattr(subject, "RENEW_BEFORE_DAYS", subject.VALID_DAYS + 1)
    planned = Certificate(wanted, workshop.host, True)
    reasons = subject.reasons_for_renewal(wanted, planned.inspect())
    assert reasons == [f"it ends within {subject.VALID_DAYS + 1} days"]


@pytest.mark.parametrize("damage", ["key", "certificate"])
def test_a_damaged_pair_is_replaced(workshop, wanted, on_host, damage):
    on_host(wanted)
    path = workshop.etc / "tls" / ("key.pem" if damage == "key" else "cert.pem")
    path.write_text("nonsense\n")
    assert "update cert.pem" in on_host(wanted)
    assert on_host(wanted) == []


def test_a_unit_that_does_not_run_is_not_started(workshop, wanted, on_host):
    workshop.host.set_units({"app.service": {"active": False, "enabled": True, "read": {}}})
    on_host(wanted)
    assert workshop.host.units()["app.service"]["active"] is False


def test_a_unit_that_refuses_it_gets_the_old_pair_back(workshop, wanted, on_host):
    on_host(wanted)
    before = workshop.host.tree()
    (workshop.etc / "app.conf").write_text("broken\n")
    with pytest.raises(EstateError, match="refusing"):
        on_host(replace(wanted, names=["db9"]))
    (workshop.etc / "app.conf").unlink()
    assert workshop.host.tree() == before


@pytest.mark.parametrize("case", ["foreign key", "no PEM", "ends soon"])
def test_the_controller_refuses_an_authority_that_cannot_sign(wanted, workshop, case):
    public = Certificate(wanted, workshop.host, False)
    public._staging = str(workshop.host.root / "staged.key")
    workshop.host.write = lambda path, content, *_rest: Path(path).write_bytes(content)
    pem = public.stage_key()
    ca, key = {"foreign key": (CA, authority("x")[1]), "no PEM": (CA, "nonsense"), "ends soon": authority("y", 20)}[
        case
    ]
    told = {"foreign key": "does not belong", "no PEM": "no readable PEM", "ends soon": "ends on"}[case]
    with pytest.raises(EstateError, match=told) as caught:
        issue(pem, wanted.names, ca, key)
    assert "PRIVATE" not in str(caught.value)


def test_journals_are_kept_apart_by_name(workshop, wanted):
    assert Certificate(wanted, workshop.host, True)._journal().path.endswith("/tls-app")
    assert isinstance(Certificate(wanted, workshop.host, True)._journal(), Journal)

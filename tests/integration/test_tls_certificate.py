# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""tls_certificate on a real host: keys stay where they belong, and nothing is issued twice."""

from __future__ import annotations

import pytest

DIRECTORY = "/etc/estate/tls/estate-test"


@pytest.fixture
def host(lab):
    """The machine that gets the certificate, left as it was found."""
    name = lab.group("cache")[0]
    yield name
    lab.ssh(name, f"rm -rf {DIRECTORY} /var/lib/retailerp-estate/config_set/tls-estate-test*")


def certificate(lab, host: str, names: list[str], *flags: str) -> tuple[bool, str]:
    """One call of the module with the estate's own authority: whether it changed anything, and all that was printed."""
    options = {
        "name": "estate-test",
        "directory": DIRECTORY,
        "names": names,
        "owner": "nobody",
        "ca_certificate": "{{ estate_secrets.ca_certificate }}",
        "ca_private_key": "{{ estate_secrets.ca_private_key }}",
    }
    result, shown = lab.module(host, "retailerp.estate.tls_certificate", options, *flags)
    assert not result["failed"], shown
    return result["changed"], shown


def test_keys_stay_where_they_belong_and_nothing_is_issued_twice(lab, host):
    planned, _shown = certificate(lab, host, ["db9", "10.77.0.99"], "--check", "--diff")
    assert planned
    assert lab.ssh(host, f"ls {DIRECTORY} 2>/dev/null || true") == ""
    changed, shown = certificate(lab, host, ["db9", "10.77.0.99"], "-vvvv", "--diff")
    assert changed
    assert lab.ssh(host, f"stat -c '%a %U' {DIRECTORY}/key.pem") == "600 nobody\n"
    key = lab.ssh(host, f"cat {DIRECTORY}/key.pem")
    told = lab.ssh(host, f"cd {DIRECTORY} && openssl verify -x509_strict -verify_hostname db9 -CAfile ca.pem cert.pem")
    assert told.strip() == "cert.pem: OK"
    assert certificate(lab, host, ["db9", "10.77.0.99"])[0] is False
    for private in (key, lab.secrets()["ca_private_key"]):
        for line in (line for line in private.splitlines() if "-----" not in line):
            assert line not in shown, "a private key was printed"
    middle = lab.secrets()["ca_private_key"].strip().splitlines()[1]
    found = lab.ssh(
        host, "grep -rlF -f - /etc /var/lib/retailerp-estate /tmp /run /root 2>/dev/null || true", stdin=middle
    )
    assert found == "", "the authority's key is on the host"
    assert certificate(lab, host, ["db9"])[0] is True
    assert lab.ssh(host, f"cat {DIRECTORY}/key.pem") != key

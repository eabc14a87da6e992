# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What object stores say of their locks, and the signature one of them wants."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import store_lock
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.store_lock import Lock

LOCKED = (
    '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectLockEnabled>Enabled'
    "</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
)
RULE = "<Rule><DefaultRetention><Mode>{mode}</Mode><{unit}>{length}</{unit}></DefaultRetention></Rule>"


@pytest.mark.parametrize(
    ("rule", "lock"),
    [
        ("", Lock()),
        (RULE.format(mode="COMPLIANCE", unit="Days", length=30), Lock("COMPLIANCE", 30)),
        (RULE.format(mode="GOVERNANCE", unit="Years", length=2), Lock("GOVERNANCE", 730)),
    ],
)
def test_the_default_retention_of_a_bucket(rule, lock):
    assert store_lock.of_s3(LOCKED.format(rule=rule).encode()) == lock


def test_the_policy_of_a_blob_counts_from_its_writing():
    headers = {
        "Last-Modified": "Sat, 28 Nov 2026 01:00:00 GMT",
        "x-ms-immutability-policy-until-date": "Mon, 28 Dec 2026 01:00:00 GMT",
        "x-ms-immutability-policy-mode": "Locked",
    }
    assert store_lock.of_azure(headers) == Lock("LOCKED", 30)
    assert store_lock.of_azure({"Last-Modified": headers["Last-Modified"]}) == Lock()


def test_the_signature_is_that_of_the_published_example():
    """GET Bucket Lifecycle of the worked examples of AWS Signature Version 4 for S3."""
    own = {
        "s3-region": "us-east-1",
        "s3-key": "AKIAIOSFODNN7EXAMPLE",
        "s3-key-secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    headers = store_lock.signed(own, "examplebucket.s3.amazonaws.com", "/", "lifecycle=", "20130524T000000Z")
    expected = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    assert headers["Authorization"].endswith(f"Signature={expected}")


def test_options_are_read_from_both_files_and_values_may_hold_anything(tmp_path):
    first, second = tmp_path / "a.conf", tmp_path / "b.conf"
    first.write_text("# x\n[global]\nrepo1-type=s3\nrepo2-type=posix\n\n[shop]\npg1-path=/x\n")
    second.write_text("[global]\nrepo1-azure-key=se=2027%3A00&sig=a%2Bb=\n")
    given = store_lock.options(str(first), str(second), str(tmp_path / "absent.conf"))
    assert given["repo1-azure-key"] == "se=2027%3A00&sig=a%2Bb="
    assert [store_lock.known(given, number) for number in (1, 2, 3)] == [True, True, False]
    assert store_lock.ask(given, 1, "shop").error.startswith("KeyError")
    assert store_lock.ask(given, 2, "shop") == Lock()

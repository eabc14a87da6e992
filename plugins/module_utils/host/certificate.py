# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's TLS key and certificate. The key is made and stays on the host; the controller signs its public half."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.config_set import ConfigSet
from ansible_collections.retailerp.estate.plugins.module_utils.host.journal import Journal
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import (
    ConfigSpec,
    CurrentSet,
    FileSpec,
    UnitSpec,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

RENEW_BEFORE_DAYS = 90
VALID_DAYS = 365
SECONDS_A_DAY = 86400
UNKNOWN = b"(made when it is applied)\n"


@dataclass(frozen=True)
class CertificateSpec:
    """What is wanted: names are DNS names and addresses; owner, group and mode are the key's."""

    name: str
    directory: str
    names: list[str]
    ca: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o600
    units: list[UnitSpec] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Path of the private key."""
        return f"{self.directory}/key.pem"

    @property
    def certificate(self) -> str:
        """Path of the certificate."""
        return f"{self.directory}/cert.pem"


@dataclass(frozen=True)
class SeenCertificate:
    """What is there. present: both files; until: the end of validity as openssl writes it."""

    present: bool = False
    names: frozenset[str] = frozenset()
    until: str = ""
    expires_soon: bool = False
    by_ca: bool = False
    fits_key: bool = False

    def describe(self) -> str | None:
        """The certificate in words, None when there is none."""
        return f"{', '.join(sorted(self.names))}; until {self.until}" if self.present else None


@dataclass(frozen=True)
class CurrentCertificate:
    """What was read: the certificate, and the set of files it is made of."""

    seen: SeenCertificate
    files: CurrentSet


def canonical(name: str) -> str:
    """A name as it is compared: addresses in their short form, the rest in lower case."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name.strip().lower()


def names_in(text: str) -> frozenset[str]:
    """The names in openssl's print of subjectAltName."""
    entries = [part.strip() for line in text.splitlines()[1:] for part in line.split(",")]
    return frozenset(
        canonical(entry.partition(":")[2]) for entry in entries if entry.startswith(("DNS:", "IP Address:"))
    )


def reasons_for_renewal(wanted: CertificateSpec, seen: SeenCertificate) -> list[str]:
    """Why the certificate has to be issued anew; empty when it holds."""
    if not seen.present:
        return ["there is none"]
    reasons = []
    if not seen.fits_key:
        reasons.append("it does not fit the key")
    if not seen.by_ca:
        reasons.append("this authority did not sign it")
    if seen.names != frozenset(map(canonical, wanted.names)):
        reasons.append("its names differ")
    if seen.expires_soon:
        reasons.append(f"it ends within {RENEW_BEFORE_DAYS} days")
    return reasons


class Certificate:
    """The capability behind tls_certificate. `issued` is the certificate the controller signed for the staged key."""

    def __init__(self, wanted: CertificateSpec, system: Any, check_mode: bool, issued: str | None = None) -> None:
        self.wanted = wanted
        self._system = system
        self._check_mode = check_mode
        self._issued = issued
        self._staging = f"/var/lib/retailerp-estate/tls/{wanted.name}.key"
        self._set: ConfigSet | None = None
        self._files: CurrentSet | None = None

    def read(self) -> CurrentCertificate:
        """The certificate and its files as they are."""
        seen = self.inspect()
        if self._set is None:
            self._set = ConfigSet(self._spec(seen), self._system, self._journal(), self._check_mode)
        self._files = self._set.read()
        return CurrentCertificate(seen, self._files)

    def plan(self, current: CurrentCertificate) -> list[Change]:
        """One change for key and certificate together, told by names and end; the rest as the set plans it."""
        told = (f"file {self.wanted.key}", f"file {self.wanted.certificate}")
        changes = [change for change in self._the_set().plan(current.files) if change.resource not in told]
        reasons = reasons_for_renewal(self.wanted, current.seen)
        if not reasons:
            return changes
        names = ", ".join(sorted(map(canonical, self.wanted.names)))
        after = f"{names}; for {VALID_DAYS} days, because {' and '.join(reasons)}"
        action = "update" if current.seen.present else "create"
        return [Change(f"certificate {self.wanted.certificate}", action, current.seen.describe(), after), *changes]

    def apply(self, changes: list[Change]) -> None:
        """Install key, certificate and authority together and tell the units; see ConfigSet.apply."""
        if self._files is None:
            raise EstateError("apply() before read()")
        the_set = self._the_set()
        the_set.apply(the_set.plan(self._files))
        self._system.remove(self._staging)
        self._issued = None

    def controls(self, current: CurrentCertificate) -> list[Control]:
        """That the certificate holds for its names, with this authority, for a while yet; and the files of the set."""
        control = Control.check(
            f"tls.{self.wanted.name}.certificate",
            f"The certificate of {self.wanted.name} is for its names, by the estate's authority, and not about to end",
            reasons_for_renewal(self.wanted, current.seen),
            [],
            "run again without check mode to have it issued anew",
        )
        files = self._the_set().controls(current.files)
        return [replace(control, observed=current.seen.describe()) if control.state == "pass" else control, *files]

    def stage_key(self) -> str:
        """Make a new key for the host alone and return its public half (PEM), for the controller to sign."""
        self._system.make_private(self._staging.rpartition("/")[0])
        key = self._openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        self._system.write(self._staging, key.encode(), 0, 0, 0o600)
        return self._openssl(["pkey", "-in", self._staging, "-pubout"])

    def inspect(self) -> SeenCertificate:
        """The certificate that is installed, judged by openssl."""
        key, certificate = self.wanted.key, self.wanted.certificate
        if any(self._system.state(path).kind not in ("file", "link") for path in (key, certificate)):
            return SeenCertificate()
        x509 = ["x509", "-in", certificate, "-noout"]
        code, out, _err = self._try([*x509, "-pubkey"])
        if code != 0:
            return SeenCertificate(present=True)
        return SeenCertificate(
            present=True,
            names=names_in(self._try([*x509, "-ext", "subjectAltName"])[1]),
            until=self._try([*x509, "-enddate"])[1].strip().partition("=")[2],
            expires_soon=self._try([*x509, "-checkend", str(RENEW_BEFORE_DAYS * SECONDS_A_DAY)])[0] != 0,
            by_ca=self._try(["verify", "-no_check_time", "-CAfile", "/dev/stdin", certificate], self.wanted.ca)[0] == 0,
            fits_key=out == self._try(["pkey", "-in", key, "-pubout"])[1],
        )

    def _spec(self, seen: SeenCertificate) -> ConfigSpec:
        """The files as they have to be: newly issued, or those that are there while they hold."""
        wanted = self.wanted
        if self._issued:
            key, certificate = self._system.read(self._staging), self._issued.encode()
        elif reasons_for_renewal(wanted, seen):
            key = certificate = UNKNOWN
        else:
            key, certificate = self._system.read(wanted.key), self._system.read(wanted.certificate)
        ca = wanted.ca.strip() + "\n"
        return ConfigSpec(
            name=f"tls-{wanted.name}",
            files=[
                FileSpec(wanted.directory, state="directory", mode=0o755),
                FileSpec(
                    wanted.key, content=key, owner=wanted.owner, group=wanted.group, mode=wanted.mode, secret=True
                ),
                FileSpec(wanted.certificate, content=certificate),
                FileSpec(f"{wanted.directory}/ca.pem", content=ca.encode()),
            ],
            # Who does not run yet reads the certificate when it is started; starting it is its own role's work.
            units=[unit for unit in wanted.units if self._system.unit(unit.name).running],
        )

    def _journal(self) -> Journal:
        return Journal(self._system, f"tls-{self.wanted.name}")

    def _the_set(self) -> ConfigSet:
        if self._set is None:
            raise EstateError("plan() before read()")
        return self._set

    def _try(self, arguments: list[str], stdin: str | None = None) -> tuple[int, str, str]:
        return self._system.run(["openssl", *arguments], stdin=stdin)

    def _openssl(self, arguments: list[str]) -> str:
        code, out, err = self._try(arguments)
        if code != 0:
            raise EstateError(f"openssl {arguments[0]} failed on the host (code {code}): {err.strip()[-300:]}")
        return out

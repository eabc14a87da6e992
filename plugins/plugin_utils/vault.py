# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an estate's secrets and keep them in a vault file. Controller only."""

from __future__ import annotations

import datetime
import os
import secrets
import string
import tempfile
from pathlib import Path

import yaml
from ansible.parsing.vault import AnsibleVaultError, FileVaultSecret, VaultLib

from ansible_collections.retailerp.estate.plugins.module_utils.estate import vault_file
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.plugin_utils import specification

#: Letters and digits alone: safe unquoted in URLs, INI files and ACL files. 40 of them hold 238 bits.
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 40
_AUTHORITY = ("ca_certificate", "ca_private_key")
_AUTHORITY_YEARS = 10
#: Issued by somebody else: nothing of ours could make it up.
FOREIGN = ("entra_client_secret",)
#: Issued by a store for backups, where there is one.
ISSUED = ("backup_1_host", "backup_1_keeper", "backup_2_host", "backup_2_keeper")
NO_PASSWORD = (
    "no vault password: give --vault-password-file (or ANSIBLE_VAULT_PASSWORD_FILE), so that secrets are never "
    "written in plain text"
)


class _Locked(str):
    """An encrypted value as it stands in the file."""


class _Loader(yaml.SafeLoader):
    """Reads `!vault` values as what they are, without opening them."""


_Loader.add_constructor("!vault", lambda loader, node: _Locked(node.value))


class Keeper:
    """Opens and seals values with the vault passwords of the run, or of one file."""

    def __init__(self, loader, password_file=None, vault_id=None):
        found = list(getattr(loader, "_vault", None).secrets or []) if getattr(loader, "_vault", None) else []
        if password_file:
            secret = FileVaultSecret(filename=str(password_file), loader=loader)
            try:
                secret.load()
            except Exception as err:
                raise EstateError(f"vault password file {password_file}: {err}") from err
            found = [(vault_id or "default", secret)]
        if vault_id:
            found = [pair for pair in found if pair[0] == vault_id]
        if not found:
            raise EstateError(NO_PASSWORD)
        self._id, self._secret = found[0]
        self._lib = VaultLib(found)

    def seal(self, value):
        """The vault text of a value."""
        label = None if self._id == "default" else self._id
        return self._lib.encrypt(value, secret=self._secret, vault_id=label).decode()

    def opens(self, text):
        """Whether one of the passwords opens a vault text."""
        try:
            self._lib.decrypt(text.encode())
        except AnsibleVaultError:
            return False
        return True


def password():
    """A strong random secret."""
    return "".join(secrets.choice(_ALPHABET) for _unused in range(_LENGTH))


def authority(name):
    """A new certificate authority: (certificate, private key), both PEM text."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} estate authority")])
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Hosts whose clocks are a little behind must not refuse it.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


class VaultFile:
    """What the vault file at `path` holds and lacks. Reads only; `store` writes.

    name: of the estate, for its authority. given: values made elsewhere, by name, for what the file lacks.
    kept: names that are there; created: name → value of what is missing.
    """

    def __init__(self, path, keeper, name, given):
        self.path, self._keeper = Path(path), keeper
        self._wanted = list(specification.options()["estate_secrets"]["options"])
        # The stores' own, which only some estates have: taken when they are given.
        optional = [secret for secret in ISSUED if secret not in given]
        self._text, present = read(self.path)
        self.kept = list(present)
        self._check(present, given)
        self.created = {}
        certificate, key = authority(name) if "ca_certificate" not in present else ("", "")
        made = {"ca_certificate": certificate, "ca_private_key": key}
        for secret in self._wanted:
            if secret not in present and secret not in optional:
                self.created[secret] = given.get(secret) or made.get(secret) or password()

    def _check(self, present, given):
        """Refuse what would end in a file that nobody can open, or that opens too easily."""
        for secret in given:
            if secret not in self._wanted:
                raise EstateError(f"{secret} is not one of the estate's secrets: {', '.join(self._wanted)}")
        check_locked(self.path, self._keeper, present)
        half = [secret for secret in _AUTHORITY if secret in present]
        if len(half) == 1:
            raise EstateError(f"{self.path}: holds {half[0]} alone; delete it, or add the other half of the authority")
        lacking = [secret for secret in FOREIGN if secret not in present and not given.get(secret)]
        if lacking:
            raise EstateError(f"{self.path}: {', '.join(lacking)} is issued elsewhere and must be given")

    def store(self):
        """Add what is missing to the file."""
        sealed = {secret: self._keeper.seal(value) for secret, value in self.created.items()}
        try:
            store(self.path, vault_file.added(self._text, sealed))
        except vault_file.VaultFileError as err:
            raise EstateError(f"{self.path}: {err}") from err


def read(path, key=vault_file.KEY):
    """(text of the file, its secrets by name); nothing when there is no file."""
    if not path.exists():
        return "", {}
    try:
        text = path.read_text(encoding="utf-8")
        return text, parsed(text, key)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, vault_file.VaultFileError) as err:
        raise EstateError(f"{path}: {str(err).splitlines()[0]}") from err


def parsed(text, key=vault_file.KEY):
    """The secrets in a vault file's text, by name, none of them opened."""
    vault_file.check_whole(text)
    data = yaml.load(text, Loader=_Loader)  # noqa: S506
    vault_file.names_in(data, key)
    return dict((data or {}).get(key) or {})


def check_locked(path, keeper, present, below=""):
    """Refuse values that stand in plain text, or that this vault password does not open. below: what they are in."""
    for secret, value in present.items():
        if not isinstance(value, _Locked):
            raise EstateError(f"{path}: {below}{secret} is in plain text; encrypt it (ansible-vault encrypt_string)")
        if not keeper.opens(value):
            raise EstateError(f"{path}: the vault password that was given does not open {below}{secret}")


def store(path, text, mode=0o600):
    """Write a file in one step: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of names: of sites, hosts, images and URLs. They end up in configuration, so nothing else may pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem, address

#: Words that stand for any tenant.
MANY_TENANTS = ("common", "organizations", "consumers")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
#: The grammar of the registries (distribution/reference), without IPv6.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?P<registry>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]+))?/)?(?P<name>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)
_URL = re.compile(r"(?:(?P<scheme>[^:/?#]*)://)?(?P<site>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.S)
_IN_A_URL = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]*")


def of_names(spec: dict, hosts: list) -> list:
    """All problems of names, images and URLs."""
    return [*_sites(spec), *_hosts(hosts), *_images(spec), *_directory(spec), *_authority(spec)]


def _sites(spec: dict) -> Iterator:
    for key in ("domain", "admin_domain"):
        derived = key == "admin_domain" and spec.get(key) == f"admin.{spec.get('domain')}"
        if spec.get(key) is not None and not derived and not _DOMAIN.fullmatch(spec[key]):
            yield Problem(f"estate_spec.{key}", f"{spec[key]} is not a domain name (lower case, no scheme, no path)")
    if spec.get("domain") and spec.get("admin_domain") == spec["domain"]:
        yield Problem("estate_spec.admin_domain", "is the public domain; administration needs a name of its own")


def _hosts(hosts: list) -> Iterator:
    """A host's name stands in its certificate, in files of other hosts and in settings of the database."""
    for host in hosts:
        if not _HOST.fullmatch(host.name):
            yield Problem(f"hosts.{host.name!r}", "is not a host name (letters, digits, hyphens; parts joined by dots)")


def _images(spec: dict) -> Iterator:
    form = "write registry/name@sha256:<64 hex digits>"
    for part in ("odoo", "traefik"):
        image, path = spec.get(part, {}).get("image"), f"estate_spec.{part}.image"
        if image is None:
            continue
        match = _IMAGE.fullmatch(image)
        if not match or len(match["name"]) > 255:
            yield Problem(path, f"is not an image reference (no scheme, the name in lower case); {form}")
            continue
        if match["port"] and not _is_port(match["port"]):
            yield Problem(path, f"{match['port']} is not a port; {form}")
        if not match["digest"]:
            yield Problem(path, f"is {'tagged, ' if match['tag'] else ''}not pinned by digest; {form}")
        registry = match["registry"] or ""
        if not ("." in registry or match["port"] or registry == "localhost"):
            yield Problem(path, f"names no registry; {form}")


def _directory(spec: dict) -> Iterator:
    url, at = spec.get("acme", {}).get("directory"), "estate_spec.acme.directory"
    if url is None:
        return
    for fault in _faults(url):
        yield Problem(at, fault)
    if not _URL.fullmatch(url)["path"]:
        yield Problem(at, f"{url} has no path; write the whole URL, such as https://acme.example.com/directory")


def _authority(spec: dict) -> Iterator:
    url, at = spec.get("entra", {}).get("authority"), "estate_spec.entra.authority"
    if url is None:
        return
    faults = list(_faults(url))
    for fault in faults:
        yield Problem(at, fault)
    said = _URL.fullmatch(url)
    path = said["path"].strip("/")
    if path.split("/")[0] in MANY_TENANTS:
        yield Problem(at, f"/{path} is the issuer of any tenant; write the host alone")
    elif path and not faults:
        yield Problem(at, f"{url} has a path; write https://{said['site']} alone, the tenant is added")


def _faults(url: str) -> Iterator:
    """What keeps a text from being the https URL of a public thing. A user's name or password is not repeated."""
    said = _URL.fullmatch(url)
    user, at, site = said["site"].rpartition("@")
    host, colon, port = site.partition(":")
    if at or user:
        yield "names a user; write the URL without"
        return
    if said["scheme"] != "https" or not host:
        yield f"{url} is not an https URL"
        return
    if not _IN_A_URL.fullmatch(url):
        yield f"{url!r} holds a space or another character that no URL has"
        return
    numeric = host.rpartition(".")[2].isdigit()
    if not _HOST.fullmatch(host) or (numeric and address(host) is None):
        yield f"{host} is not a host name or an IPv4 address"
    if colon and not _is_port(port):
        yield f"{port or 'nothing'} after the colon is not a port"
    if said["rest"]:
        yield f"{said['rest']} is a query or a fragment; leave it out"


def _is_port(text: Any) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 0 < int(text) < 65536

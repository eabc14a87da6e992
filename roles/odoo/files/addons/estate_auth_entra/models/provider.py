# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider record: what pins it to one tenant, and the code flow with a verifier of its own for each sign-in."""

import json
import time
from urllib.parse import quote_plus

import requests
from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from werkzeug.urls import url_encode

from .. import keys, tokens


class AuthOauthProvider(models.Model):
    _inherit = "auth.oauth.provider"

    entra_tenant_id = fields.Char(
        string="Entra tenant",
        help="Directory (tenant) ID. When set, sign-ins are bound to this tenant and roles come from Entra.",
    )
    entra_issuer = fields.Char(string="Entra issuer", help="The only accepted issuer: <authority>/<tenant>/v2.0")
    entra_redirect_uri = fields.Char(
        string="Entra redirect URI", help="As registered: https://<domain>/auth_oauth/signin"
    )

    @api.constrains("entra_tenant_id", "entra_issuer", "entra_redirect_uri", "flow", "token_endpoint", "jwks_uri")
    def _check_entra(self):
        for provider in self.filtered("entra_tenant_id"):
            needed = ("client_id", "entra_issuer", "entra_redirect_uri", "token_endpoint", "jwks_uri")
            missing = [name for name in needed if not provider[name]]
            if missing:
                raise ValidationError(_("A provider with an Entra tenant also needs: %s") % ", ".join(missing))
            if provider.flow != "id_token_code":
                raise ValidationError(_("A provider with an Entra tenant uses the authorization code flow."))
            if provider.entra_tenant_id not in provider.entra_issuer.split("/"):
                raise ValidationError(_("The issuer must be the one of the tenant: no shared issuer is accepted."))

    def entra_start(self, redirect, database):
        """A new attempt and the address at the provider that answers it."""
        self.ensure_one()
        attempt = tokens.new_attempt(self.id, redirect, time.time())
        # d, p and r are where Odoo's own controller looks; s makes the state unguessable.
        attempt["state"] = json.dumps({"d": database, "p": self.id, "r": redirect, "s": attempt["key"]})
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": self.entra_redirect_uri,
            "scope": self.scope,
            "state": attempt["state"],
            "nonce": attempt["nonce"],
            "code_challenge": tokens.challenge(attempt["verifier"]),
            "code_challenge_method": "S256",
            # Tills are shared: never sign in silently as the person before.
            "prompt": "select_account",
        }
        return attempt, f"{self.auth_endpoint}?{url_encode(query)}"

    def entra_claims(self, code, attempt):
        """The checked claims of the person who signed in, for the code the provider answered with."""
        self.ensure_one()
        payload = keys.verified(self._entra_id_token(code, attempt["verifier"]), self.jwks_uri)
        try:
            claims = json.loads(payload)
        except ValueError:
            claims = None
        if not isinstance(claims, dict):
            raise tokens.Refused("token", "the token holds no claims")
        return tokens.check_claims(
            claims,
            {"iss": self.entra_issuer, "tid": self.entra_tenant_id, "aud": self.client_id, "nonce": attempt["nonce"]},
            time.time(),
        )

    def _entra_id_token(self, code, verifier):
        form = {
            "client_id": self.client_id,
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": self.entra_redirect_uri,
            "scope": self.scope,
        }
        try:
            response = requests.post(
                self.token_endpoint,
                data=form,
                # Both are form-encoded first (RFC 6749, 2.3.1).
                auth=(quote_plus(self.client_id), quote_plus(self.client_secret or "")),
                timeout=keys.TIMEOUT_S,
                allow_redirects=False,
            )
            answer = response.json()
        except (requests.RequestException, ValueError) as err:
            raise tokens.Refused("provider", f"the token endpoint does not answer: {type(err).__name__}") from None
        if response.status_code != 200 or not isinstance(answer, dict) or not isinstance(answer.get("id_token"), str):
            error = answer.get("error") if isinstance(answer, dict) else None
            raise tokens.Refused(
                "provider", f"the token endpoint answered {response.status_code} {tokens.shown(error)}"
            )
        return answer["id_token"]

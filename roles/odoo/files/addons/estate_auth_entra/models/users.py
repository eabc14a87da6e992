# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The person: found by object id, made at the first sign-in, holding exactly the roles Entra assigns."""

import logging
import secrets
import time

import psycopg2
from odoo import api, models
from odoo.exceptions import AccessDenied
from odoo.http import request

from .. import tokens

_logger = logging.getLogger(__name__)

REFUSAL_KEY = "estate_auth_entra_refusal"


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.model
    def auth_oauth(self, provider, params):
        """Sign a person in; called by Odoo's controller with the superuser's environment.

        Refusals that change something (a person who lost all roles) rely on that controller: it catches AccessDenied
        inside its cursor's block, so what was written before is committed.
        """
        record = self.env["auth.oauth.provider"].sudo().browse(provider).exists()
        # Odoo itself serves disabled providers to whoever names their id.
        if not record.enabled:
            _logger.warning("Sign-in refused: provider %s is not enabled", tokens.shown(provider))
            raise AccessDenied()
        if not record.entra_tenant_id:
            return super().auth_oauth(provider, params)
        try:
            user = self.sudo()._entra_sign_in(record, params)
        except tokens.Refused as refusal:
            where = request.httprequest.remote_addr
            _logger.warning("Sign-in by Entra refused (%s): %s; from %s", refusal.code, refusal.detail, where)
            request.session[REFUSAL_KEY] = refusal.code
            raise AccessDenied() from None
        # The only proof _check_credentials takes from a federated person: this very request.
        request.estate_entra_uid = user.id
        return self.env.cr.dbname, user.login, user.oauth_access_token

    def _entra_sign_in(self, provider, params):
        """The user the provider's answer stands for, up to date. Every check comes before the first write."""
        claims = provider.entra_claims(*self._entra_answer(provider, params))
        oid, app_roles = tokens.person(claims), tokens.app_roles(claims)
        roles = self.env["res.users.role"].search([("entra_app_role", "in", app_roles)])
        domain = [("oauth_provider_id", "=", provider.id), ("oauth_uid", "=", oid)]
        user = self.with_context(active_test=False).search(domain)
        if user and not user.active:
            raise tokens.Refused("inactive", f"the user of {oid} is archived here")
        try:
            with self.env.cr.savepoint():
                if not roles:
                    user._entra_revoke()
                elif user:
                    user._entra_refresh(claims, roles)
                else:
                    user = self._entra_create(provider, claims, roles)
        except psycopg2.Error as err:
            raise tokens.Refused("busy", f"another sign-in of {oid} ran at the same time: {err.pgcode}") from None
        if not roles:
            raise tokens.Refused("no_role", f"{oid} holds no mapped app role, only {tokens.shown(app_roles)}")
        _logger.info("Sign-in by Entra: %s is user %s with roles %s", oid, user.id, roles.mapped("name"))
        return user

    @api.model
    def _entra_answer(self, provider, params):
        """The code and the attempt it belongs to. An attempt is spent here, whatever follows."""
        attempts = dict(request.session.get(tokens.SESSION_KEY) or {})
        attempt = tokens.take(attempts, params.get("state"), time.time())
        del attempts[attempt["key"]]
        request.session[tokens.SESSION_KEY] = attempts
        if attempt["provider"] != provider.id:
            raise tokens.Refused("state", "the answer is of another provider")
        if params.get("error") or not params.get("code"):
            raise tokens.Refused("provider", f"the provider answered with {tokens.shown(params.get('error'))}")
        return params["code"], attempt

    @api.model
    def _entra_create(self, provider, claims, roles):
        """A new internal user with these roles only: nothing comes from a template or from the default user."""
        oid = tokens.person(claims)
        login = str(claims.get("preferred_username") or "").strip().lower() or oid
        if self.with_context(active_test=False).search_count([("login", "=", login)]):
            # Somebody else's: a local user is never taken over because a name or a mail matches.
            login = oid
        values = {
            **self._entra_profile(claims),
            "login": login,
            "oauth_provider_id": provider.id,
            "oauth_uid": oid,
            "oauth_access_token": secrets.token_urlsafe(32),
            "groups_id": [(6, 0, [])],
            "role_line_ids": [(0, 0, {"role_id": role.id}) for role in roles],
        }
        return self.with_context(no_reset_password=True).create(values)

    def _entra_refresh(self, claims, roles):
        """Name, mail and roles as Entra has them now. Sessions opened with other roles end."""
        lines = self.role_line_ids
        stale = lines.filtered(lambda line: line.role_id not in roles or line.date_from or line.date_to)
        missing = roles - (lines - stale).mapped("role_id")
        values = {name: value for name, value in self._entra_profile(claims).items() if self[name] != value}
        if stale or missing:
            stale.unlink()
            values["role_line_ids"] = [(0, 0, {"role_id": role.id}) for role in missing]
        if stale or missing or not self.oauth_access_token:
            values["oauth_access_token"] = secrets.token_urlsafe(32)
        if values:
            self.write(values)
        # Groups may have been given by hand since.
        self.set_groups_from_roles(force=True)

    def _entra_revoke(self):
        """No role, no groups, no open session; the record stays for what it once signed."""
        if self:
            self.role_line_ids.unlink()
            self.set_groups_from_roles(force=True)
            self.write({"oauth_access_token": secrets.token_urlsafe(32)})

    @api.model
    def _entra_profile(self, claims):
        name = str(claims.get("name") or claims.get("preferred_username") or tokens.person(claims))
        return {"name": name.strip(), "email": str(claims.get("email") or "").strip() or False}

    def _check_credentials(self, password, env):
        """A federated person has no password here: only the request in which Entra vouched for them counts."""
        if self.env.user.sudo().oauth_provider_id.entra_tenant_id:
            if getattr(request or None, "estate_entra_uid", None) != self.env.uid:
                raise AccessDenied()
            return None
        return super()._check_credentials(password, env)

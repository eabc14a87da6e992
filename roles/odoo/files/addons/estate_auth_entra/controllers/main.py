# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in button and what the login page says after a refusal."""

from odoo import _, http
from odoo.addons.auth_oidc.controllers.main import OpenIDLogin
from odoo.http import request
from werkzeug.exceptions import NotFound
from werkzeug.urls import url_encode
from werkzeug.utils import redirect as redirect_to

from .. import tokens
from ..models.users import REFUSAL_KEY

# Never part of what a page template gets to see.
SECRET_FIELDS = ("client_secret", "code_verifier")


class EntraLogin(OpenIDLogin):
    def list_providers(self):
        """Odoo's list, where our button starts an attempt only once it is pressed."""
        providers = super().list_providers()
        back = tokens.local_path(request.params.get("redirect"))
        for provider in providers:
            for field in SECRET_FIELDS:
                provider.pop(field, None)
            if provider.get("entra_tenant_id"):
                provider["auth_link"] = f"/auth_oauth/entra/{provider['id']}?{url_encode({'redirect': back})}"
        return providers

    @http.route("/auth_oauth/entra/<int:provider_id>", type="http", auth="public", methods=["GET"], sitemap=False)
    def entra_start(self, provider_id, redirect=None, **_kw):
        """Bind a new attempt to this browser's session and send the person to the provider."""
        provider = request.env["auth.oauth.provider"].sudo().browse(provider_id).exists()
        if not provider.enabled or not provider.entra_tenant_id:
            raise NotFound()
        attempt, address = provider.entra_start(tokens.local_path(redirect), request.env.cr.dbname)
        # Assigned anew: a session notices no change inside a value.
        request.session[tokens.SESSION_KEY] = tokens.keep(request.session.get(tokens.SESSION_KEY), attempt)
        response = redirect_to(address, 303)
        response.headers["Cache-Control"] = "no-store"
        response.autocorrect_location_header = False
        return response

    @http.route()
    def web_login(self, *args, **kw):
        response = super().web_login(*args, **kw)
        code = request.session.get(REFUSAL_KEY)
        if code and response.is_qweb:
            request.session.pop(REFUSAL_KEY)
            response.qcontext["error"] = self._entra_message(code)
        return response

    @staticmethod
    def _entra_message(code):
        messages = {
            "no_role": _(
                "You are signed in, but no role in this system is assigned to you. "
                "Ask your manager to have one assigned, then sign in again."
            ),
            "inactive": _("Your account in this system is closed. Ask your administrator."),
            "expired": _("Signing in took too long. Please try again."),
            "state": _("This sign-in was not started in this browser window. Please try again."),
            "busy": _("You signed in twice at the same time. Please try again."),
            "provider": _("The sign-in service refused or did not answer. Please try again in a moment."),
        }
        return messages.get(code, _("The sign-in service's answer was not accepted. You are not signed in."))

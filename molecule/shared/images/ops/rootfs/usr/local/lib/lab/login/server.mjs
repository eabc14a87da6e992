// SPDX-FileCopyrightText: 2026 The retailerp.estate authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lab's stand-in for Microsoft Entra's v2.0 endpoints: a certified OpenID provider behind Entra's paths and claims.
// Code flow with PKCE (S256) only, as the estate uses it. Keys are new at every start, as Entra's change too.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { interactionPolicy, Provider } from 'oidc-provider';
import { claimsOf, findSubject, isForged, issuerOf, spoilOf, TENANT } from './accounts.mjs';

const CLIENT = {
  client_id: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  client_secret: readFileSync('/etc/lab/entra_client_secret', 'utf8').trim(),
  redirect_uris: ['shop', 'solo'].map((estate) => `https://${estate}.lab.test/auth_oauth/signin`),
  response_types: ['code'],
  grant_types: ['authorization_code'],
  token_endpoint_auth_method: 'client_secret_basic',
};
const DISCOVERY = '/.well-known/openid-configuration';

const keys = await generateKeyPair('RS256', { extractable: true });
const forgersKeys = await generateKeyPair('RS256');
const kid = crypto.randomUUID();

// Entra lets a client ask for the account picker, whoever is signed in already: tills are shared.
const policy = interactionPolicy.base();
policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);

const provider = new Provider(issuerOf(TENANT), {
  clients: [CLIENT],
  jwks: { keys: [{ ...(await exportJWK(keys.privateKey)), kid, use: 'sig', alg: 'RS256' }] },
  cookies: { keys: [crypto.randomUUID()] },
  responseTypes: ['code'],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'email'],
  claims: {
    openid: ['sub', 'oid', 'tid', 'ver', 'roles', 'groups'],
    profile: ['name', 'preferred_username'],
    email: ['email'],
  },
  conformIdTokenClaims: false, // Entra puts the claims of every granted scope into the id token
  features: { devInteractions: { enabled: false } },
  ttl: { AccessToken: 3600, AuthorizationCode: 600, Grant: 86400, IdToken: 3600, Interaction: 3600, Session: 86400 },
  routes: {
    authorization: `/${TENANT}/oauth2/v2.0/authorize`,
    token: `/${TENANT}/oauth2/v2.0/token`,
    end_session: `/${TENANT}/oauth2/v2.0/logout`,
    jwks: `/${TENANT}/discovery/v2.0/keys`,
  },
  interactions: { policy, url: (_ctx, interaction) => `/login/${interaction.uid}` },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => claimsOf(sub) }),
  // The administrator consented for the whole tenant, so nobody is asked.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});

/** The token that an account of the spoiled kind gets instead of its right one. */
async function spoil(token) {
  const claims = decodeJwt(token);
  const changes = spoilOf(claims.sub);
  if (!changes) return token;
  const signer = new SignJWT({ ...claims, ...changes }).setProtectedHeader(decodeProtectedHeader(token));
  return signer.sign(isForged(claims.sub) ? forgersKeys.privateKey : keys.privateKey);
}

provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === 'token' && ctx.body?.id_token) ctx.body.id_token = await spoil(ctx.body.id_token);
});

const page = (problem = '') => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<h1>Sign in to your account</h1><p role="alert">${problem}</p>
<form method="post"><label>Name <input name="name" autofocus></label>
<label>Password <input name="password" type="password"></label><button type="submit">Sign in</button></form></html>`;

async function readForm(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

async function login(request, response) {
  await provider.interactionDetails(request, response); // throws unless this browser was sent here
  if (request.method === 'POST') {
    const form = await readForm(request);
    const accountId = findSubject((form.get('name') ?? '').split('@')[0].toLowerCase());
    if (accountId && form.get('password') === 'lab') {
      await provider.interactionFinished(request, response, { select_account: {}, login: { accountId } });
      return;
    }
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(page(request.method === 'POST' ? 'That name or password is not known.' : ''));
}

const answer = provider.callback();
const tls = { cert: readFileSync('/etc/lab/tls.pem'), key: readFileSync('/etc/lab/tls.key') };
createServer(tls, (request, response) => {
  if (request.url.startsWith('/login/')) {
    login(request, response).catch((error) => response.writeHead(400).end(`${error.error_description ?? error.message}\n`));
    return;
  }
  if (request.url === `/${TENANT}/v2.0${DISCOVERY}`) request.url = DISCOVERY;
  answer(request, response);
}).listen(443, () => console.log(`signing in at ${issuerOf(TENANT)}`));

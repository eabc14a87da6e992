// SPDX-FileCopyrightText: 2026 The retailerp.estate authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who can sign in, and what the token then says. The password of all is "lab".
import { createHash } from 'node:crypto';

export const TENANT = '11111111-2222-3333-4444-555555555555';
export const OTHER_TENANT = '99999999-8888-7777-6666-555555555555';
export const HOST = 'https://login.lab.test';
export const issuerOf = (tenant) => `${HOST}/${tenant}/v2.0`;

// A directory gives everyone an id for life; here it follows from the name, so that it survives the lab.
const idOf = (what) => {
  const hex = createHash('sha256').update(what).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
};

const hoursAgo = (hours) => Math.floor(Date.now() / 1000) - hours * 3600;

const people = {
  store: ['Store.Staff'],
  warehouse: ['Warehouse.Staff'],
  finance: ['Finance.Staff'],
  support: ['Support.Staff'],
  administrator: ['Estate.Administrator'],
  norole: [],
};

// Tokens as a forger, a foreign tenant or a broken clock would present them: claims that replace the right ones.
const spoiled = {
  othertenant: () => ({ tid: OTHER_TENANT, iss: issuerOf(OTHER_TENANT) }),
  otheraudience: () => ({ aud: 'ffffffff-0000-1111-2222-333333333333' }),
  expired: () => ({ iat: hoursAgo(3), nbf: hoursAgo(3), exp: hoursAgo(2) }),
  wrongnonce: () => ({ nonce: 'not-the-one-that-was-sent' }),
  badsignature: () => ({}),
};

// What a client knows a person by is neither the name nor the oid: Entra's `sub` differs from client to client.
const subjectOf = (name) => createHash('sha256').update(`subject ${name}`).digest('base64url');
const names = new Map([...Object.keys(people), ...Object.keys(spoiled)].map((name) => [subjectOf(name), name]));

/** The `sub` of an account by its name, or undefined when there is no such account. */
export const findSubject = (name) => (names.has(subjectOf(name)) ? subjectOf(name) : undefined);

/** The claims of an account's right token, as Entra v2.0 names them. Entra leaves `roles` out when there are none. */
export function claimsOf(sub) {
  const name = names.get(sub);
  const roles = people[name] ?? ['Store.Staff'];
  return {
    sub,
    oid: idOf(`person ${name}`),
    tid: TENANT,
    ver: '2.0',
    ...(roles.length ? { roles } : {}),
    groups: [idOf(`group of ${name}`)],
    preferred_username: `${name}@shop.lab.test`,
    name: `${name[0].toUpperCase()}${name.slice(1)} Lab`,
    email: `${name}@shop.lab.test`,
  };
}

/** What to change in an account's token, or undefined when it is an honest one. */
export const spoilOf = (sub) => spoiled[names.get(sub)]?.();
export const isForged = (sub) => names.get(sub) === 'badsignature';

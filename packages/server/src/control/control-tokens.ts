import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ConfigError, Secret } from '@drydock/core';
import { z } from 'zod';

/** What a caller may do: a viewer reads, an admin does all. */
export type ControlRole = 'viewer' | 'admin';

/** Whoever has the token is `name`, for the audit. Several of one name are all taken, so that one can be changed. */
export interface ControlToken {
  readonly name: string;
  readonly role: ControlRole;
  readonly token: Secret;
}

/** Who asks. */
export type Caller = Pick<ControlToken, 'name' | 'role'>;

const leastLength = 16;
const tokenForm = /^(?<name>[A-Za-z0-9][A-Za-z0-9._@-]{0,39}):(?<token>[\x21-\x2b\x2d-\x7e]{1,200})$/;

/** A setting of named tokens, `name:token,name:token`. Its faults are told by their place: no value is repeated. */
export const NamedTokens = z.string().transform((text, context): readonly Pick<ControlToken, 'name' | 'token'>[] =>
  text.split(',').flatMap((part, index) => {
    if (part.trim() === '') return [];
    const { name = '', token = '' } = tokenForm.exec(part.trim())?.groups ?? {};
    const which = `entry ${String(index + 1)}`;
    if (name === '') context.addIssue(`${which} is not of the form name:token`);
    else if (token.length < leastLength) {
      context.addIssue(
        `the token of ${which} is shorter than ${String(leastLength)} characters: "openssl rand -hex 32" gives a good one`,
      );
    }
    return [{ name, token: new Secret(token) }];
  }),
);

/** All tokens of both roles. Throws `ConfigError` if one token stands for two roles or two people. */
export function controlTokens(settings: {
  readonly viewerTokens?: readonly Pick<ControlToken, 'name' | 'token'>[] | undefined;
  readonly adminTokens?: readonly Pick<ControlToken, 'name' | 'token'>[] | undefined;
}): readonly ControlToken[] {
  const tokens = [
    ...(settings.viewerTokens ?? []).map((token) => ({ ...token, role: 'viewer' as const })),
    ...(settings.adminTokens ?? []).map((token) => ({ ...token, role: 'admin' as const })),
  ];
  const owners = new Map<string, ControlToken>();
  for (const token of tokens) {
    const owner = owners.get(token.token.reveal());
    if (owner !== undefined && (owner.name !== token.name || owner.role !== token.role)) {
      throw new ConfigError(
        `Wrong settings:\n  DRYDOCK_VIEWER_TOKENS, DRYDOCK_ADMIN_TOKENS: ${owner.name} and ${token.name} have the same token for different names or rights`,
      );
    }
    owners.set(token.token.reveal(), token);
  }
  return tokens;
}

/** Tells who asks by the token given; null: nobody we know. The time it takes tells nothing of the tokens. */
export function createAuthenticator(tokens: readonly ControlToken[]): (headers: IncomingHttpHeaders) => Caller | null {
  const known = tokens.map(({ name, role, token }) => ({ caller: { name, role }, digest: digest(token.reveal()) }));
  return ({ authorization }) => {
    const given = digest(/^Bearer ([\x21-\x7e]{1,300})$/i.exec(authorization ?? '')?.[1] ?? '');
    let found: Caller | null = null;
    for (const { caller, digest: wanted } of known) if (timingSafeEqual(given, wanted)) found = caller;
    return found;
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

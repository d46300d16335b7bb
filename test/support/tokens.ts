import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { signTestToken } from 'rookery/testing';

const day = 86_400;

function now(): number {
  return Math.floor(Date.now() / 1000);
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function withHeader(header: object, signature: (signed: string) => string): string {
  const signed = `${encode(header)}.${encode({ sub: 'mallory', scope: 'users:write', exp: now() + day })}`;
  return `${signed}.${signature(signed)}`;
}

/** Bearer tokens of all kinds a service meets. Those that should be taken are signed with the secret of `rookery/testing`. */
export const tokens = {
  /** May change users. */
  writer: () => signTestToken({ sub: 'writer', scope: 'users:write' }),
  /** Is known, and may not. */
  reader: () => signTestToken({ sub: 'reader', scope: 'users:read' }),
  expired: () => signTestToken({ scope: 'users:write', iat: now() - day, exp: now() - 3600 }),
  notYetValid: () => signTestToken({ scope: 'users:write', nbf: now() + 3600 }),
  otherAudience: () => signTestToken({ scope: 'users:write', aud: 'another-service' }),
  wronglySigned: () => signTestToken({ scope: 'users:write' }, 'not the secret of this service, but as long'),
  /** The payload of a good token was changed after it was signed. */
  tampered: () => {
    const [header, , signature] = signTestToken({ scope: 'users:read' }).split('.');
    return `${header}.${encode({ sub: 'tester', scope: 'users:write', exp: now() + day })}.${signature}`;
  },
  algNone: () => withHeader({ alg: 'none', typ: 'JWT' }, () => ''),
  algNoneWithSignature: () =>
    withHeader({ alg: 'None', typ: 'JWT' }, (signed) => createHmac('sha256', 'x').update(signed).digest('base64url')),
  /** A good signature by a key of a kind that the service does not take. */
  otherAlgorithm: () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    return withHeader({ alg: 'EdDSA', typ: 'JWT' }, (signed) =>
      sign(null, Buffer.from(signed), privateKey).toString('base64url'),
    );
  },
  withoutSubject: () => signTestToken({ sub: undefined, scope: 'users:write' }),
  wrongScopeType: () => signTestToken({ scope: ['users:write'] }),
  malformed: () => 'not.a-token',
  empty: () => '',
} as const;

/** Name of one of `tokens`. */
export type TokenName = keyof typeof tokens;

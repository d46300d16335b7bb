import { createHmac } from 'node:crypto';

/** The HS256 secret of every service under test. It protects nothing. */
export const testSecret = 'the secret of tests, at least 32 bytes long';

// Longer than any test, and a claim that every real token has.
const lifeSeconds = 3600;

/**
 * Signs a token with HS256.
 *
 * @param claims put over `{ sub: 'tester', iat: now, exp: in an hour }`; `undefined` takes a claim away
 * @param secret the service's `auth.jwt.secret`
 */
export function signTestToken(claims: Readonly<Record<string, unknown>> = {}, secret: string = testSecret): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub: 'tester', iat: now, exp: now + lifeSeconds, ...claims };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

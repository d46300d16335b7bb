import { createHmac } from 'node:crypto';

/** The HS256 secret of the servers under load. It protects nothing. */
export const secret = 'the secret of the benchmark, 32 bytes and more';

/** A token that all servers take, good for a day. */
export function benchToken() {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub: 'load', scope: 'users:read', iat: now, exp: now + 86_400 };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** @param {object} part */
function encode(part) {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

import { expect, it } from 'vitest';
import { callerKey } from './caller-key.js';
import { RequestContext } from './context.js';
import { Deadline } from './deadline.js';

function keyOf(peer: string): string {
  const deadline = new Deadline(1000);
  deadline.close();
  const init = { face: 'http', operation: '', peer, header: () => undefined, deadline } as const;
  return callerKey(new RequestContext(init), 'principal');
}

it('is one for all addresses that a client can choose among itself', () => {
  expect(keyOf('2001:db8:1:2::1')).toBe(keyOf('2001:DB8:1:2:ffff:ffff:ffff:ffff'));
  expect(keyOf('2001:db8:1:2::1')).not.toBe(keyOf('2001:db8:1:3::1'));
  expect(keyOf('10.0.0.1')).not.toBe(keyOf('10.0.0.2'));
});

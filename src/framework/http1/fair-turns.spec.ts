import { describe, expect, it } from 'vitest';
import { RawConnection } from '../../../test/support/raw-connection.js';
import { serve } from '../../../test/support/raw-http1-server.js';

const many = 2000;
const workMs = 0.5;

function work(): void {
  const endMs = performance.now() + workMs;
  while (performance.now() < endMs);
}

describe('a connection with many requests at once', () => {
  it('does not keep others waiting', async () => {
    await using server = await serve((stream) => {
      work();
      stream.respondOnly([{ name: ':status', value: '204' }]);
    });
    const greedy = await RawConnection.open(server.port);
    const patient = await RawConnection.open(server.port);
    greedy.write('GET / HTTP/1.1\r\nhost: here\r\n\r\n'.repeat(many));
    await greedy.sees('HTTP/1.1 204');

    patient.write('GET / HTTP/1.1\r\nhost: here\r\n\r\n');
    await patient.sees('HTTP/1.1 204');

    expect(server.counters.requests).toBeLessThan(many / 2);
    greedy.destroy();
    patient.destroy();
  });

  it('gets all of them answered', async () => {
    await using server = await serve((stream) => stream.respondOnly([{ name: ':status', value: '204' }]));
    const greedy = await RawConnection.open(server.port);
    const last = 'GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n';
    greedy.write('GET / HTTP/1.1\r\nhost: here\r\n\r\n'.repeat(20_000) + last);

    const answers = (await greedy.closed).toString('latin1').split('HTTP/1.1 204').length - 1;

    expect(answers).toBe(20_001);
  });
});

import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { RawConnection } from '../../../test/support/raw-connection.js';
import { listener, serve } from '../../../test/support/raw-http1-server.js';

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

  it('does not keep others waiting by the small pieces of one body', async () => {
    let pieces = 0;
    await using server = await serve((stream, { method }) => {
      if (method === 'GET') {
        stream.respondOnly([{ name: ':status', value: '204' }]);
        return;
      }
      const onData = (): void => {
        pieces += 1;
        work();
      };
      stream.listen(listener({ onData, onEnd: () => stream.respondOnly([{ name: ':status', value: '204' }]) }));
    });
    const greedy = await RawConnection.open(server.port);
    const patient = await RawConnection.open(server.port);
    const head = 'POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n';
    const count = 600;
    greedy.write(`${head}1\r\na\r\n`);
    await eventually('it has begun', () => pieces > 0);
    greedy.write(`${'1\r\na\r\n'.repeat(count)}0\r\n\r\n`);
    await eventually('it goes on', () => pieces > 1);

    patient.write('GET / HTTP/1.1\r\nhost: here\r\n\r\n');
    await patient.sees('HTTP/1.1 204');

    expect(pieces).toBeLessThan(count / 2);
    await greedy.sees('HTTP/1.1 204');
    expect(pieces).toBe(count + 1);
    greedy.destroy();
    patient.destroy();
  });
});

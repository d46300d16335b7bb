import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../bench/build.mjs';
import { cases } from '../../bench/cases.mjs';
import { loadNamed, untilRight } from '../../bench/measure.mjs';
import { type Server, startServer } from '../../bench/servers.mjs';
import { isSkipped, peerTimeoutMs } from '../support/peers.js';

const pairs = cases.flatMap(({ load, subject, peer }) => [`${subject} ${load}`, `${peer} ${load}`]);

// Each server is asked for the right answer and for a refusal, as it is before and after a measurement.
describe.skipIf(isSkipped('bench'))('the servers of the benchmark', () => {
  const running: Server[] = [];

  beforeAll(() => build(), peerTimeoutMs);

  afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));

  async function start(name: string): Promise<Server> {
    const server = await startServer(name, { core: '0' });
    running.push(server);
    return server;
  }

  const loadsOf = Map.groupBy(new Set(pairs), (pair) => pair.split(' ')[0] ?? '');

  it.each([...loadsOf])('do the same work: %s', async (name, itsPairs) => {
    const server = await start(name);

    const sizes = itsPairs.map(async (pair) => {
      const { bodyBytes } = await untilRight(server, loadNamed(pair.split(' ')[1] ?? ''));
      return bodyBytes > 0;
    });

    expect(await Promise.all(sizes)).toEqual(itsPairs.map(() => true));
  });

  it('are refused when they give another answer', async () => {
    const server = await start('node-http');

    await expect(untilRight(server, loadNamed('rest-post'))).rejects.toThrow('node-http: not the right answer');
  });
});

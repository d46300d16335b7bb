import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { Flag, FrameType } from './frame.js';
import { frame, RawClient, requestFields, uint32 } from '../../../test/support/raw-http2-client.js';
import { answer, type RawServer, serve } from '../../../test/support/raw-http2-server.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const batch = 200;
const warmUp = 40_000;

/** Heap of server and client together, after garbage has been collected. */
function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

async function run(
  server: RawServer,
  client: RawClient,
  from: number,
  streams: number,
  isCancelled: boolean,
): Promise<void> {
  for (let first = from; first < from + streams; first += batch) {
    const parts: Buffer[] = [];
    for (let i = first; i < first + batch; i += 1) {
      const id = 2 * i + 1;
      parts.push(client.headers(id, requestFields('/', { 'x-number': String(i) }), 0));
      parts.push(
        isCancelled
          ? frame(FrameType.rstStream, 0, id, uint32(ErrorCode.cancel))
          : frame(FrameType.data, Flag.endStream, id, Buffer.alloc(16)),
      );
    }
    client.send(...parts);
    await client.roundTrip();
    if (!isCancelled)
      await client.when(() => client.frames.filter((each) => each.type === FrameType.data).length === batch);
    const { length } = client.of(FrameType.data);
    client.send(frame(FrameType.windowUpdate, 0, 0, uint32(Math.max(1, length * 16))));
    client.frames.length = 0;
    expect(server.connections[0]?.streams).toBe(0);
  }
}

describe('a connection after very many streams', () => {
  it.each([
    ['answered', false],
    ['cancelled', true],
  ])('holds no more than before: 100 000 %s', { timeout: 60_000 }, async (_what, isCancelled) => {
    await using server = await serve(answer, { resetRate: { burst: 1_000_000, perSecond: 0 } });
    const client = await RawClient.connect(server.port);
    // So many that what V8 keeps of compiling is there.
    await run(server, client, 0, warmUp, isCancelled);
    const before = heapBytes();

    await run(server, client, warmUp, 100_000, isCancelled);

    const grownBytes = heapBytes() - before;
    // A hundredth of what 100 000 stream objects would be.
    expect(grownBytes).toBeLessThan(300_000);
    client.close();
  });
});

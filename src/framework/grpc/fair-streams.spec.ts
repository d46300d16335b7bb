import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { frame, rawStream } from '../../../test/support/grpc-calls.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

const { watchUsers } = UserService.method;
const streams = 1000;
const messages = 16;
const text = 'x'.repeat(4096);

let begun = 0;
const allBegun = Promise.withResolvers<void>();

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  async *watchUsers() {
    // Requests that come together are begun over several turns of the event loop.
    begun += 1;
    if (begun === streams) allBegun.resolve();
    await allBegun.promise;
    for (let count = 0; count < messages; count += 1) yield { user: { displayName: text } };
  }
}

describe('1000 concurrent streams on one connection', () => {
  it('are served side by side, whichever came first', { timeout: 60_000 }, async () => {
    await using app = await startGrpcApp({ controllers: [Users], http2: { maxConcurrentStreams: streams } });
    // Its window is 64 KiB for all streams together, a quarter of that is a turn, and each stream has four turns to take.
    const session = app.connect();
    const received = Array.from({ length: streams }, () => 0);
    let atFirstEnd: number[] | undefined;

    await Promise.all(
      received.map(async (_, index) => {
        const stream = rawStream(session, watchUsers);
        stream.end(frame(Buffer.alloc(0)));
        stream.on('data', (chunk: Buffer) => {
          received[index] = (received[index] ?? 0) + chunk.length;
        });
        await new Promise((resolve) => stream.on('end', resolve));
        atFirstEnd ??= [...received];
      }),
    );

    const wholeBytes = received[0] ?? 0;
    expect(wholeBytes).toBeGreaterThan(messages * text.length);
    expect(new Set(received)).toEqual(new Set([wholeBytes]));
    expect(Math.min(...(atFirstEnd ?? []))).toBeGreaterThan(wholeBytes / 2);
  });
});

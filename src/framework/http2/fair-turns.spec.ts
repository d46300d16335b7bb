import { describe, expect, it } from 'vitest';
import { FrameType, RawClient, requestFields } from '../../../test/support/raw-http2-client.js';
import { serve } from '../../../test/support/raw-http2-server.js';

const many = 2000;
const workMs = 0.5;

function work(): void {
  const endMs = performance.now() + workMs;
  while (performance.now() < endMs);
}

describe('a connection with many requests at once', () => {
  it('does not keep others waiting, and gets all of them answered', async () => {
    await using server = await serve((stream) => {
      work();
      stream.respondOnly([{ name: ':status', value: '204' }]);
    });
    const greedy = await RawClient.connect(server.port);
    const patient = await RawClient.connect(server.port);
    await patient.roundTrip();
    greedy.send(...Array.from({ length: many }, (_, i) => greedy.headers(2 * i + 1, requestFields())));
    await greedy.until(({ type }) => type === FrameType.headers);

    patient.send(patient.headers(1, requestFields()));
    await patient.until(({ type }) => type === FrameType.headers);

    expect(greedy.of(FrameType.headers).length).toBeLessThan(many / 2);
    await greedy.when(() => greedy.of(FrameType.headers).length === many);
    greedy.close();
    patient.close();
  });
});

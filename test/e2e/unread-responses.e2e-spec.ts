import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/framework/http2/error-code.js';
import { FrameType, readUint32 } from '../../src/framework/http2/frame.js';
import { Attacker } from '../support/attacker.js';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import type { RawClient } from '../support/raw-http2-client.js';
import { inUse, refusals } from '../support/service-figures.js';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js';
import { tokens } from '../support/tokens.js';

const mebibyte = 1_048_576;
const bound = 16 * mebibyte;
const path = '/api/v1/files/sample.bin';
const headers = { authorization: `Bearer ${tokens.reader()}` };
const download = '/file.service.v1.FileService/Download';

let files: TemporaryFolder;
let service: ChildService;
let attackers: Attacker[] = [];

beforeAll(async () => {
  files = await temporaryFolder();
  service = await ChildService.start({
    ROOKERY_FILES__SEED: 'true',
    ROOKERY_FILES__DIRECTORY: files.path,
    ROOKERY_SERVER__LIMITS__MAX_BUFFERED_BYTES: String(bound),
  });
}, 60_000);

afterEach(async () => {
  for (const attacker of attackers) attacker.close();
  await eventually('nothing is in use', async () => (await inUse(service.url, 'bytes')) === 0);
});

afterAll(async () => {
  await service.dispose();
  await files.remove();
});

/** Two peers, each with ten connections of 240 requests that read nothing but a byte of each window. */
async function flood(of: string, fields: Readonly<Record<string, string>>, body?: Uint8Array): Promise<RawClient[]> {
  attackers = ['127.0.0.2', '127.0.0.3'].map((address) => new Attacker(address, service.port));
  const options = body === undefined ? { method: 'GET', windowBytes: 1 } : { body, windowBytes: 1 };
  const clients: RawClient[] = [];
  for (const attacker of attackers)
    for (let count = 0; count < 10; count += 1) clients.push(await attacker.streams(240, of, fields, options));
  return clients;
}

/** What is in use at most, of some looks, while another client gets what it asks for. */
async function mostInUse(): Promise<number> {
  let most = 0;
  for (let look = 0; look < 20; look += 1) {
    const { status, bytes } = await http(service.url, { path, headers });
    expect([status, bytes.length]).toEqual([200, mebibyte + 37]);
    most = Math.max(most, await inUse(service.url, 'bytes'));
  }
  return most;
}

describe('responses that are not read', () => {
  it('are refused when those before them have filled their peer’s share, and others are served', async () => {
    const before = await refusals(service.url, 'bytes');

    const clients = await flood(path, headers);
    await eventually('some are refused', async () => (await refusals(service.url, 'bytes')) > before);
    const most = await mostInUse();

    expect(most).toBeGreaterThan(bound / 4);
    expect(most).toBeLessThan(bound);
    // Each has been answered: with its file, with 429, or by its end.
    const statuses = clients.flatMap((client) => client.of(FrameType.headers)).length;
    expect(statuses).toBeGreaterThan(240);
  }, 60_000);

  it('are ended on gRPC, and others are served', async () => {
    const name = Buffer.from('sample.bin');
    const message = Buffer.concat([Buffer.from([0, 0, 0, 0, name.length + 2, 0x0a, name.length]), name]);

    const clients = await flood(download, { ...headers, 'content-type': 'application/grpc', te: 'trailers' }, message);
    const resets = (): number[] =>
      clients.flatMap((client) => client.of(FrameType.rstStream)).map(({ payload }) => readUint32(payload, 0));
    await eventually('some are ended', () => resets().includes(ErrorCode.enhanceYourCalm));
    const most = await mostInUse();

    expect(most).toBeLessThan(bound);
  }, 60_000);
});

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { requestEndChannel, requestFaultChannel } from 'rookery/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { ReferenceApp } from '../support/reference-app.js';

let app: ReferenceApp;

beforeAll(async () => {
  app = await ReferenceApp.start({});
  // More than the buffers of two kernels take.
  await writeFile(join(app.files, 'large.bin'), Buffer.alloc(64 * 1024 * 1024));
});

afterAll(() => app.close());

describe('a caller who does not read its answer', () => {
  it('is cut off at the deadline on HTTP/2, and no longer counts', async () => {
    const session = connect(app.url, { settings: { initialWindowSize: 0 } });
    session.on('error', () => {});
    const stream = session.request({ ':path': '/api/v1/users/1', 'request-timeout': '0.3' });
    stream.on('error', () => {});
    await once(stream, 'response');

    expect(app.inFlight).toBe(1);
    await once(stream, 'close');
    expect(stream.rstCode).toBe(8);
    await eventually('nothing is in flight', () => app.inFlight === 0);
    session.destroy();
  });

  it('is cut off at the deadline on HTTP/1.1, and no longer counts', async () => {
    const socket = connectSocket(app.test.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET /api/v1/files/large.bin HTTP/1.1\r\nhost: a\r\nrequest-timeout: 1\r\n\r\n');
    const reasons: (string | undefined)[] = [];
    const forget = requestEndChannel.subscribe(({ reason }) => reasons.push(reason));
    await eventually('the request is served', () => app.inFlight === 1);
    await eventually('nothing is in flight', () => app.inFlight === 0);
    forget();
    socket.destroy();

    expect(reasons).toEqual(['DEADLINE_EXCEEDED']);
  });
});

describe('a caller who leaves in the middle of a body', () => {
  it('is a cancelled request, not a fault of the service', async () => {
    const reasons: (string | undefined)[] = [];
    const faults: unknown[] = [];
    const forgetEnd = requestEndChannel.subscribe(({ reason }) => reasons.push(reason));
    const forgetFault = requestFaultChannel.subscribe(({ error }) => faults.push(error));
    const socket = connectSocket(app.test.port, '127.0.0.1');
    socket.write(
      'POST /api/v1/users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{',
    );
    await eventually('the request has begun', () => app.inFlight === 1);
    socket.destroy();
    await eventually('the request has ended', () => reasons.length > 0);
    forgetEnd();
    forgetFault();

    expect([reasons, faults]).toEqual([['CANCELLED'], []]);
  });
});

describe('the header request-timeout', () => {
  it('that is no number of seconds is refused by name', async () => {
    const answer = await http(app.url, { path: '/api/v1/users/1', headers: { 'request-timeout': 'soon' } });

    expectError(answer, 400, {
      reason: 'MALFORMED_REQUEST_TIMEOUT',
      message: 'request-timeout: "soon" (expected: seconds, such as 1.5)',
    });
  });
});

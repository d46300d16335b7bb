import { Agent } from 'node:http';
import { connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { once } from 'node:events';
import { methodOf, GrpcCaller } from './grpc-caller.js';
import { http } from './http-caller.js';
import { FileService } from '../../src/gen/file/service/v1/file_pb.js';
import { users } from './trial-app.js';

/** What became of the requests of some callers who go on until the service turns them away. */
export interface LoadReport {
  /** Requests that were answered well, in the order of their ends, on the clock of `performance.now()`. */
  readonly answeredAtMs: number[];
  /** What went wrong with requests that had begun. */
  readonly failures: string[];
}

/** @param rest waited for after each request */
type Worker = (report: LoadReport, stop: AbortSignal, rest: () => Promise<void>) => Promise<void>;

// No connection could be made, or the stream was never begun as GOAWAY came while it was on its way out of the client
// (RFC 9113 section 8.7: safe to send again). Another instance takes such a request.
const neverBegun = /ECONNREFUSED|No connection established|Name resolution failed|NGHTTP2_REFUSED_STREAM/;

/** One keep-alive connection after the other, one request at a time. */
const http1: (url: string) => Worker = (url) => async (report, stop, rest) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    while (!stop.aborted) {
      const { status, headers, text } = await http(url, { path: '/api/v1/users/1', agent });
      if (status === 200) report.answeredAtMs.push(performance.now());
      else report.failures.push(`http1 ${status} ${text}`);
      // It was told to go elsewhere with the next one.
      if (headers.connection === 'close') return;
      await rest();
    }
  } catch (error) {
    if (!neverBegun.test(String((error as NodeJS.ErrnoException).code))) report.failures.push(`http1 ${String(error)}`);
  } finally {
    agent.destroy();
  }
};

/** One connection, one request at a time, until GOAWAY. */
const http2: (url: string) => Worker = (url) => async (report, stop, rest) => {
  const session = connect(url);
  let isLeaving = false;
  session.on('goaway', () => {
    isLeaving = true;
  });
  session.on('error', () => {
    isLeaving = true;
  });
  try {
    await once(session, 'connect');
    while (!stop.aborted && !isLeaving && !session.closed) {
      const stream = session.request({ ':path': '/api/v1/users/1' });
      const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
      stream.resume();
      await once(stream, 'close');
      if (headers[':status'] === 200) report.answeredAtMs.push(performance.now());
      else report.failures.push(`http2 ${headers[':status']}`);
      await rest();
    }
  } catch (error) {
    if (!neverBegun.test(String(error))) report.failures.push(`http2 ${String(error)}`);
  } finally {
    session.destroy();
  }
};

const rpc: (address: string, kind: 'unary' | 'stream') => Worker = (address, kind) => async (report, stop, rest) => {
  const caller = new GrpcCaller(address);
  const [method, request] =
    kind === 'unary'
      ? [users.get, { id: '1' }]
      : [methodOf(FileService, 'Download'), { name: 'sample.bin', offset: '800000' }];
  try {
    while (!stop.aborted) {
      const { failure, messages } = await caller.call(method, [request]);
      if (failure === undefined && messages.length > 0) report.answeredAtMs.push(performance.now());
      else {
        if (failure === undefined || !neverBegun.test(failure.message))
          report.failures.push(`grpc ${kind} ${JSON.stringify(failure)}`);
        return;
      }
      await rest();
    }
  } finally {
    caller.close();
  }
};

/**
 * Callers of every kind at once; each ends when the service turns it away, or at `stop`. Between its requests each waits for
 * `restMs`, for loads that are to leave something of the machine to others.
 */
export class Load {
  readonly reports: Readonly<Record<'http1' | 'http2' | 'unary' | 'stream', LoadReport>>;
  readonly ended: Promise<unknown>;

  constructor(address: string, callersOfEach: number, stop: AbortSignal, restMs = 0) {
    const url = `http://${address}`;
    const workers = {
      http1: http1(url),
      http2: http2(url),
      unary: rpc(address, 'unary'),
      stream: rpc(address, 'stream'),
    };
    const running: Promise<void>[] = [];
    const rest = (): Promise<void> => (restMs === 0 ? Promise.resolve() : delay(restMs));
    const reports: Record<string, LoadReport> = {};
    for (const [kind, worker] of Object.entries(workers)) {
      const report: LoadReport = { answeredAtMs: [], failures: [] };
      reports[kind] = report;
      for (let count = 0; count < callersOfEach; count += 1) running.push(worker(report, stop, rest));
    }
    this.reports = reports as typeof this.reports;
    this.ended = Promise.all(running);
  }
}

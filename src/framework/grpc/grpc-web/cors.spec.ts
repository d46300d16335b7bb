import { create, toBinary } from '@bufbuild/protobuf';
import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { type GrpcApp, startGrpcApp } from '../../../../test/support/grpc-app.js';
import { frame } from '../../../../test/support/grpc-calls.js';
import { callWeb, type WebAnswer, type WebVersion } from '../../../../test/support/grpc-web-caller.js';
import { GetUserRequestSchema, UserService } from '../../../gen/user/service/v1/user_pb.js';
import { Metadata } from '../metadata.js';
import type { RpcCall } from '../rpc-call.js';
import { GrpcService, Rpc } from '../rpc.decorator.js';
import type { CorsRules } from './cors.js';

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser({ id }: { id: string }, _metadata: Metadata, call: RpcCall) {
    const headers = new Metadata();
    headers.set('room', 'lobby');
    call.sendMetadata(headers);
    return { id };
  }
}

const path = '/user.service.v1.UserService/GetUser';
const page = 'https://app.example.com';
const asked = 'content-type,x-grpc-web,x-user-agent,grpc-timeout,authorization';
const body = frame(toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id: '7' })));
const start = (cors: Partial<CorsRules>) => startGrpcApp({ controllers: [Users], cors });

/** The headers of an answer that CORS is about. */
function corsOf({ headers }: WebAnswer): Record<string, string> {
  const isAbout = (name: string): boolean => name.startsWith('access-control-') || name === 'vary';
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isAbout(name)));
}

describe.each<WebVersion>(['HTTP/1.1', 'HTTP/2'])('CORS of gRPC-Web on %s', (version) => {
  const addressOf = (app: GrpcApp): string => (version === 'HTTP/1.1' ? app.http1Address : app.address);
  const preflight = (app: GrpcApp, origin: string, headers: Record<string, string> = {}): Promise<WebAnswer> =>
    callWeb(version, addressOf(app), {
      method: 'OPTIONS',
      path,
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': asked,
        ...headers,
      },
    });
  const call = (app: GrpcApp, headers: Record<string, string>, at = path): Promise<WebAnswer> =>
    callWeb(version, addressOf(app), {
      path: at,
      headers: { 'content-type': 'application/grpc-web+proto', ...headers },
      chunks: [body],
    });

  it('answers the preflight of an allowed origin', async () => {
    await using app = await start({ origins: [page], maxAgeSeconds: 60 });

    const answer = await preflight(app, page);

    expect([answer.status, answer.raw.length]).toEqual([204, 0]);
    expect(corsOf(answer)).toEqual({
      'access-control-allow-origin': page,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': asked,
      'access-control-max-age': '60',
      vary: 'origin, access-control-request-headers',
    });
    expect(app.lifecycle.inFlight).toBe(0);
  });

  it('tells another origin nothing', async () => {
    await using app = await start({ origins: [page] });

    expect(corsOf(await preflight(app, 'https://evil.example.com'))).toEqual({
      vary: 'origin, access-control-request-headers',
    });
    expect(corsOf(await call(app, { origin: 'https://evil.example.com' }))).toEqual({ vary: 'origin' });
    expect(corsOf(await call(app, {}))).toEqual({ vary: 'origin' });
  });

  it('is silent where it is switched off', async () => {
    await using app = await start({ origins: [] });

    const [asking, calling] = [await preflight(app, page), await call(app, { origin: page })];

    expect([asking.status, calling.grpcStatus]).toEqual([204, 0]);
    expect([corsOf(asking), corsOf(calling)]).toEqual([{}, {}]);
  });

  it('lets a page read the answer, its metadata and its status', async () => {
    await using app = await start({ origins: [page], credentials: true });

    const answer = await call(app, { origin: page, cookie: 'a=b' });

    expect(answer.grpcStatus).toBe(0);
    expect(corsOf(answer)).toEqual({
      'access-control-allow-origin': page,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers':
        'grpc-status,grpc-message,grpc-status-details-bin,grpc-accept-encoding,x-request-id,room',
      vary: 'origin',
    });
  });

  it('lets a page read a refusal, of a method that is not there as well', async () => {
    await using app = await start({ origins: ['*'] });
    const at = '/user.service.v1.UserService/NoSuch';

    const asking = await callWeb(version, addressOf(app), {
      method: 'OPTIONS',
      path: at,
      headers: { origin: page, 'access-control-request-method': 'POST', 'access-control-request-headers': asked },
    });
    const refused = await call(app, { origin: page }, at);

    expect(asking.headers['access-control-allow-origin']).toBe(page);
    expect(refused.headers).toMatchObject({
      'grpc-status': '12',
      'access-control-allow-origin': page,
      'access-control-expose-headers':
        'grpc-status,grpc-message,grpc-status-details-bin,grpc-accept-encoding,x-request-id',
    });
  });

  it('allows no header names that are none', async () => {
    await using app = await start({ origins: ['*'] });

    const answer = await preflight(app, page, { 'access-control-request-headers': 'x-grpc-web, a b' });

    expect(answer.headers['access-control-allow-headers']).toBeUndefined();
    expect(answer.headers['access-control-allow-origin']).toBe(page);
  });

  it('leaves other requests of this kind to others', async () => {
    await using app = await start({ origins: ['*'] });
    const others = await Promise.all([
      callWeb(version, addressOf(app), { method: 'OPTIONS', path, headers: { origin: page } }),
      callWeb(version, addressOf(app), {
        method: 'OPTIONS',
        path: '/api/v1/users',
        headers: { origin: page, 'access-control-request-method': 'POST' },
      }),
    ]);

    expect(others.map(({ status }) => status)).toEqual(version === 'HTTP/1.1' ? [404, 404] : [415, 415]);
  });
});

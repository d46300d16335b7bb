import { type DescMethod, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { Module } from '@nestjs/common';
import { httpStatusOf, Status } from 'rookery/core';
import { openResources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';
import { fullJson, GrpcCaller, pathOf } from '../support/grpc-caller.js';
import type { Failed } from '../support/grpc-failure.js';
import { http, type HttpAnswer } from '../support/http-caller.js';
import { type ParityOutcome, type ParityRequest, parityRequests } from '../support/parity-requests.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';
import { tokens } from '../support/tokens.js';
import { TrialModule } from '../support/trial.module.js';

/** Everything a face says about one request, in one form. */
interface Told {
  readonly data?: JsonValue;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly violations?: readonly { readonly field: string; readonly rule: string; readonly message: string }[];
  readonly retryAfterMs?: number;
}

@Module({ imports: [AppModule, TrialModule] })
class ParityModule {}

const before = openResources();
let folder: TemporaryFolder;
let restService: TestService;
let rpcService: TestService;
let caller: GrpcCaller;

beforeAll(async () => {
  folder = await temporaryFolder();
  const set = { 'users.seed': true, 'files.directory': folder.path, 'files.seed': false };
  // Two services that begin alike: each face's requests find the data as the requests before left it.
  [restService, rpcService] = await Promise.all([
    startTestService(ParityModule, { set }),
    startTestService(ParityModule, { set }),
  ]);
  caller = new GrpcCaller(rpcService.address);
});

afterAll(async () => {
  caller.close();
  await Promise.all([restService.close(), rpcService.close()]);
  await folder.remove();
  await untilReleased(before);
});

describe('one handler on two faces', () => {
  it('is asked at least 60 different things', () => {
    expect(new Set(parityRequests.map(({ name, rest }) => `${rest.method ?? 'GET'} ${rest.path} ${name}`)).size).toBe(
      parityRequests.length,
    );
    expect(parityRequests.length).toBeGreaterThanOrEqual(60);
  });

  it.each(parityRequests)('gives the same answer to $name', async (request) => {
    const [rest, rpc] = await Promise.all([askRest(request), askRpc(request)]);

    expect(rpc).toEqual(rest);
    expect(summaryOf(rest)).toEqual(request.outcome);
  });
});

async function askRest({ rest, token }: ParityRequest): Promise<Told> {
  const answer = await http(restService.url, { ...rest, token: token && tokens[token]() });
  const { code, data, message, reason, errors } = answer.json as Record<string, JsonValue>;
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(code).toBe(answer.status);
  if (reason === undefined)
    return { status: message === 'success' ? 'OK' : String(message), data: steady(data ?? null) };
  expect(data).toBeNull();
  return toldByEnvelope(answer, { reason, message, errors });
}

function toldByEnvelope(answer: HttpAnswer, { reason, message, errors }: Record<string, JsonValue | undefined>): Told {
  const retryAfter = answer.headers['retry-after'];
  return {
    status: statusByHttp(answer.status, String(reason)),
    reason: String(reason),
    message: String(message),
    ...(errors !== undefined && { violations: errors as unknown as NonNullable<Told['violations']> }),
    ...(retryAfter !== undefined && { retryAfterMs: Number(retryAfter) * 1000 }),
  };
}

async function askRpc({ rpc, token }: ParityRequest): Promise<Told> {
  const { method, message, serverTimeoutMs, beyond } = rpc;
  const init = { token: token && tokens[token](), ...(serverTimeoutMs !== undefined && { serverTimeoutMs }) };
  const { messages, failure } =
    beyond === undefined
      ? await caller.call(method, [message], init)
      : await caller.callBytes(pathOf(method), [bytesOf(method, message, beyond.bytes)], init);
  if (failure !== undefined) return named(toldByDetails(failure), beyond?.names ?? {});
  expect(messages).toHaveLength(1);
  const isEmpty = method.output.typeName === 'google.protobuf.Empty';
  return { status: 'OK', data: isEmpty ? null : steady(fullJson(method.output, messages[0] ?? null)) };
}

function bytesOf({ input }: DescMethod, message: JsonValue, beyond: Buffer): Buffer {
  return Buffer.concat([toBinary(input, fromJson(input, message)), beyond]);
}

// A field without a name on the wire is told by its number: the one thing in which the faces differ.
function named(told: Told, names: Readonly<Record<string, string>>): Told {
  let text = JSON.stringify(told);
  for (const [number, name] of Object.entries(names)) text = text.replaceAll(number, name);
  return JSON.parse(text) as Told;
}

function toldByDetails({ status, message, reason, violations, retryAfterMs }: Failed): Told {
  return {
    status,
    reason: String(reason),
    message,
    ...(violations !== undefined && {
      violations: violations.map(({ field, description, reason: rule }) => ({
        field,
        rule: camel(rule),
        message: description,
      })),
    }),
    // The header has whole seconds only.
    ...(retryAfterMs !== undefined && { retryAfterMs: Math.ceil(retryAfterMs / 1000) * 1000 }),
  };
}

// Several statuses share an HTTP status: the one that the table expects counts if it is among them.
function statusByHttp(httpStatus: number, reason: string): string {
  const names = Object.entries(Status).filter(([, code]) => httpStatusOf(code) === httpStatus);
  const all = names.map(([name]) => upperSnake(name));
  const expected = parityRequests
    .map(({ outcome }) => outcome)
    .find((outcome) => 'reason' in outcome && outcome.reason === reason);
  return expected !== undefined && 'status' in expected && all.includes(expected.status)
    ? expected.status
    : all.join(' or ');
}

function summaryOf({ data, status, reason, violations }: Told): ParityOutcome {
  if (status === 'OK') return { data: data ?? null };
  return {
    status,
    reason: String(reason),
    ...(violations !== undefined && {
      violations: violations.map(({ field, rule }) => `${field}:${upperSnake(rule)}`),
    }),
  };
}

// Times and page tokens differ from run to run, or are nobody's to read.
function steady(value: JsonValue): JsonValue {
  const text = JSON.stringify(value, (key, each: JsonValue) => {
    if (key === 'createdAt') return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(String(each)) ? 'a time' : each;
    if (key === 'nextPageToken') return each === '' ? '' : 'a token';
    return each;
  });
  return JSON.parse(text) as JsonValue;
}

function upperSnake(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

function camel(rule: string): string {
  return rule.toLowerCase().replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

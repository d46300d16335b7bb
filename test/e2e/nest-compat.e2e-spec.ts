import { Test } from '@nestjs/testing';
import { openResources, type Resources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CompatLog } from '../support/compat-log.js';
import { CompatModule } from '../support/compat.module.js';
import { expectError } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { GrpcCaller, methodOf, pathOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { TrialController } from '../support/trial.controller.js';
import { TrialState } from '../support/trial-state.js';
import { CompatService } from '../support/trial-proto.js';

let before: Resources;
let test: TestService;
let caller: GrpcCaller;
let log: CompatLog;

beforeAll(async () => {
  before = openResources();
  test = await startTestService(CompatModule, { services: [CompatService] });
  caller = new GrpcCaller(test.address);
  log = test.service.app.get(CompatLog, { strict: false });
});

beforeEach(() => {
  log.notes.length = 0;
});

afterAll(async () => {
  caller.close();
  await test.close();
  await untilReleased(before);
});

const method = (name: string): ReturnType<typeof methodOf> => methodOf(CompatService, name);
const post = (path: string, body: unknown, headers: Record<string, string> = {}): ReturnType<typeof http> =>
  http(test.url, { method: 'POST', path, body, headers });

describe("Nest's own HTTP decorators", () => {
  it('bind a body to a DTO, in the envelope', async () => {
    const order = { title: 'Eggs', items: [{ name: 'egg', quantity: 12 }], tags: [] };

    expect((await post('/compat/orders', order)).json).toEqual({ code: 201, data: order, message: 'success' });
  });

  it('bind path and query, converted by type', async () => {
    const byPipe = await http(test.url, { path: '/compat/numbers/7?mode=m&count=1&size=2' });
    const byType = await http(test.url, { path: '/compat/one/8?mode=m' });

    expectError(byPipe, 400, {
      reason: 'VALIDATION_FAILED',
      message: 'count must not be less than 0 (and 1 more)',
      errors: [
        { field: 'count', rule: 'min', message: 'count must not be less than 0' },
        { field: 'size', rule: 'max', message: 'size must not be greater than 1000000' },
      ],
    });
    expect(byType.json).toEqual({ code: 200, data: { text: 'number m', number: 8 }, message: 'success' });
  });

  it.each([
    [
      'a nested field',
      {
        title: 'a',
        items: [
          { name: 'a', quantity: 1 },
          { name: 'b', quantity: 1 },
          { name: '', quantity: 1 },
        ],
        tags: [],
      },
      'items[2].name',
      'isLength',
      'items[2].name must be longer than or equal to 1 characters',
    ],
    [
      'an unknown nested field',
      { title: 'a', items: [{ name: 'a', quantity: 1, colour: 'red' }], tags: [] },
      'items[0].colour',
      'unknownField',
      'items[0].colour is not a known field',
    ],
    [
      'an unknown field',
      { title: 'a', items: [], tags: [], colour: 'red' },
      'colour',
      'unknownField',
      'colour is not a known field',
    ],
    [
      'a missing field',
      { items: [], tags: [] },
      'title',
      'isLength',
      'title must be longer than or equal to 1 characters',
    ],
    [
      'a wrong type',
      { title: 7, items: [], tags: [] },
      'title',
      'isLength',
      'title must be longer than or equal to 1 and shorter than or equal to 50 characters',
    ],
  ])('report %s as @Input() does', async (_, body, field, rule, message) => {
    expectError(await post('/compat/orders', body), 400, {
      reason: 'VALIDATION_FAILED',
      message,
      errors: [{ field, rule, message }],
    });
  });

  it('report a path parameter of the wrong type', async () => {
    const answer = await http(test.url, { path: '/compat/one/seven?mode=m' });

    const message = 'number must be a number';
    expectError(answer, 400, {
      reason: 'VALIDATION_FAILED',
      message,
      errors: [{ field: 'number', rule: 'isNumber', message }],
    });
  });

  it('take Observables as results', async () => {
    expect((await http(test.url, { path: '/compat/observable' })).json).toEqual({
      code: 200,
      data: { text: 'observed' },
      message: 'success',
    });
  });

  it('send events as they are', async () => {
    const answer = await http(test.url, { path: '/compat/events' });

    expect(answer.headers['content-type']).toBe('text/event-stream');
    expect(answer.text.match(/^data: .*$/gm)).toEqual([
      'data: {"number":0}',
      'data: {"number":1}',
      'data: {"number":2}',
    ]);
    expect(log.notes).toContain('events ended');
  });

  it('apply guards, pipes and interceptors of the method', async () => {
    const closed = await post('/compat/guarded', { mode: 'quiet', count: 0, size: 0 });
    const open = await post('/compat/guarded', { mode: 'quiet', count: 0, size: 0 }, { 'x-guard': 'open' });

    expectError(closed, 403, { reason: 'PERMISSION_DENIED', message: 'Forbidden resource' });
    expect(open.json).toEqual({ code: 201, data: { text: 'QUIET suffixed' }, message: 'success' });
  });

  it('apply filters of the method, and leave other errors to the framework', async () => {
    const own = await post('/compat/filtered', { mode: 'own', count: 0, size: 0 });
    const other = await post('/compat/filtered', { mode: 'http', count: 0, size: 0 });

    expect([own.status, own.json]).toEqual([418, { own: 'filter' }]);
    expectError(other, 409, { reason: 'ALREADY_EXISTS', message: 'as Nest says' });
  });
});

describe("Nest's own gRPC decorators", () => {
  it('serve a unary call with data, metadata and call', async () => {
    const { messages, failure } = await caller.call(method('Unary'), [{ mode: 'm' }], {
      metadata: { 'x-said': 'hello' },
    });

    expect(failure).toBeUndefined();
    expect(messages).toEqual([{ text: 'm hello true', number: 1 }]);
  });

  it('take an Observable for a unary answer, also an empty one', async () => {
    const one = await caller.call(method('UnaryObservable'), [{ mode: 'm' }]);
    const none = await caller.call(method('Empty'), [{}]);

    expect([one.messages, one.failure]).toEqual([[{ text: 'm' }], undefined]);
    expect([none.messages, none.failure]).toEqual([[{}], undefined]);
  });

  it('take fields that the type of the message does not have', async () => {
    // Title, and field 9.
    const bytes = Buffer.from([0x0a, 0x01, 0x61, 0x48, 0x01]);
    const { messages, failure } = await caller.callBytes(pathOf(method('Order')), [bytes]);

    expect(failure).toBeUndefined();
    expect(messages).toHaveLength(1);
  });

  it('bind a nested message to a DTO, and report a wrong field as @Input() does', async () => {
    const good = await caller.call(method('Order'), [{ title: 'a', items: [{ name: 'a', quantity: 1 }] }]);
    const bad = await caller.call(method('Order'), [
      {
        title: 'a',
        items: [
          { name: 'a', quantity: 1 },
          { name: 'b', quantity: 0 },
        ],
      },
    ]);

    const message = 'items[1].quantity must not be less than 1';
    expect(good.messages).toEqual([
      { text: JSON.stringify({ title: 'a', items: [{ name: 'a', quantity: 1 }], tags: [] }), number: 1 },
    ]);
    expect(bad.failure).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'VALIDATION_FAILED',
      message,
      violations: [{ field: 'items[1].quantity', description: message, reason: 'MIN' }],
    });
  });

  it('stream an Observable', async () => {
    const { messages } = await caller.call(method('List'), [{ count: 3 }]);

    expect(messages).toEqual([{ number: 1 }, { number: 2 }, { number: 3 }]);
    expect(log.notes).toContain('list ended');
  });

  it('reduce a stream of messages', async () => {
    const { messages } = await caller.call(method('Sum'), [{ number: 1 }, { number: 20 }, { number: 300 }]);

    expect(messages).toEqual([{ number: 321 }]);
  });

  it('check the messages of an Observable that @Input() names the class of, and no others', async () => {
    const messages = [{ number: 1 }, { number: -1 }];
    const good = await caller.call(method('CheckedSum'), [{ number: 1 }, { number: 20 }]);
    const bad = await caller.call(method('CheckedSum'), messages);
    const unchecked = await caller.call(method('Sum'), messages);

    expect(good.messages).toEqual([{ number: 21 }]);
    expect(bad.failure).toMatchObject({
      status: 'INVALID_ARGUMENT',
      violations: [{ field: 'number', description: 'number must not be less than 0', reason: 'MIN' }],
    });
    expect(unchecked.messages).toEqual([{}]);
  });

  it('talk in both directions, by Observables and by the call itself', async () => {
    const talk = await caller.call(method('Talk'), [{ text: 'a' }, { text: 'b' }]);
    const pass = await caller.call(method('Pass'), [{ text: 'a' }, { text: 'b' }]);

    expect([talk.messages, talk.failure]).toEqual([[{ text: 'heard a' }, { text: 'heard b' }], undefined]);
    expect([pass.messages, pass.failure]).toEqual([[{ text: 'passed a' }, { text: 'passed b' }], undefined]);
  });

  it('apply guards, pipes and interceptors of the method', async () => {
    const closed = await caller.call(method('Guarded'), [{ mode: 'quiet' }]);
    const open = await caller.call(method('Guarded'), [{ mode: 'quiet' }], { metadata: { 'x-guard': 'open' } });

    expect(closed.failure).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'PERMISSION_DENIED' });
    expect(open.messages).toEqual([{ text: 'QUIET suffixed' }]);
  });

  it('apply filters of the method, and leave other errors to the framework', async () => {
    const own = await caller.call(method('Filtered'), [{ mode: 'own' }]);
    const other = await caller.call(method('Filtered'), [{ mode: 'http' }]);

    expect(own.failure).toMatchObject({ status: 'FAILED_PRECONDITION', message: 'own filter' });
    expect(other.failure).toMatchObject({
      status: 'ALREADY_EXISTS',
      reason: 'ALREADY_EXISTS',
      message: 'as Nest says',
    });
  });
});

describe("the application's own global parts", () => {
  it('apply to both faces', async () => {
    await http(test.url, { path: '/compat/observable' });
    await caller.call(method('UnaryObservable'), [{ mode: 'm' }]);
    await caller.call(method('List'), [{ count: 1 }]);
    log.notes.splice(log.notes.indexOf('list ended'), 1);

    await eventually(
      'all have ended',
      () => log.notes.filter((note) => note.startsWith('interceptor ended')).length === 3,
    );
    expect(log.notes).toEqual([
      'guard http observable',
      'interceptor http observable',
      'interceptor ended http observable',
      'guard rpc unaryObservable',
      'interceptor rpc unaryObservable',
      'interceptor ended rpc unaryObservable',
      'guard rpc list',
      'interceptor rpc list',
      'interceptor ended rpc list',
    ]);
  });

  it('throw, and are caught, on both faces', async () => {
    const rest = await post('/compat/filtered', { mode: 'translate', count: 0, size: 0 });
    const { failure } = await caller.call(method('Filtered'), [{ mode: 'translate' }]);

    expectError(rest, 400, { reason: 'TRANSLATED_BY_FILTER', message: 'translated' });
    expect(failure).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'TRANSLATED_BY_FILTER',
      message: 'translated',
    });
  });
});

describe('a request-scoped provider', () => {
  it('is made for each request of either face', async () => {
    const first = log.instances;
    const rest = await http(test.url, { path: '/compat/scoped' });
    const { messages } = await caller.call(method('Scoped'), [{}]);

    expect(rest.json).toEqual({ code: 200, data: { number: first + 1 }, message: 'success' });
    expect(messages).toEqual([{ number: first + 2 }]);
  });
});

describe("Nest's testing module", () => {
  it('makes a controller with everything of this package on it, without a service around', async () => {
    const state = new TrialState();
    const module = await Test.createTestingModule({ controllers: [TrialController] })
      .useMocker(() => state)
      .compile();

    expect(module.get(TrialController).placeOrder({ title: 'a', items: [], tags: [] })).toEqual({
      title: 'a',
      items: [],
      tags: [],
    });
    await module.close();
  });
});

import { Deadline, Lifecycle, LiveValue, RequestContext, runInContext } from 'rookery/core';
import { ValidationError } from 'rookery/pipeline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JoinResponse_Kind as Kind } from '../../gen/chat/service/v1/chat_pb.js';
import { ChatConfig } from './chat.config.js';
import { ChatRooms } from './chat-rooms.js';
import { type ChatRequest, ChatService } from './chat.service.js';

/** One side of a call, under the test's control. */
class Client {
  readonly #sent: ChatRequest[] = [];
  #wake: (() => void) | undefined;
  #isOver = false;
  #error: unknown;
  readonly stream: ReturnType<ChatService['join']>;

  constructor(chat: ChatService, name: string) {
    this.stream = chat.join(name, this.#requests());
  }

  send(room: string, text = ''): this {
    this.#sent.push({ room, text });
    this.#wake?.();
    return this;
  }

  end(error?: unknown): this {
    this.#isOver = true;
    this.#error = error;
    this.#wake?.();
    return this;
  }

  /** The next event, in short: `MESSAGE Ann: hi`. */
  async next(): Promise<string | undefined> {
    const { value } = await this.stream.next();
    if (value === undefined) return undefined;
    const { kind = 0, sender = '', text = '', missed = 0n } = value;
    return `${Kind[kind]} ${sender === '' ? missed : sender}${text === '' ? '' : `: ${text}`}`;
  }

  async rest(): Promise<(string | undefined)[]> {
    const events: (string | undefined)[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event);
    return events;
  }

  async *#requests(): AsyncGenerator<ChatRequest> {
    for (;;) {
      const request = this.#sent.shift();
      if (request !== undefined) yield request;
      else if (this.#error !== undefined) throw this.#error;
      else if (this.#isOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

describe('ChatService', () => {
  const config = { ...new ChatConfig(), queueSize: 4, maxMembers: 4, maxMembersPerRoom: 3 };
  const live = new LiveValue<ChatConfig>(config);
  let lifecycle: Lifecycle;
  let rooms: ChatRooms;
  let chat: ChatService;

  beforeEach(() => {
    lifecycle = new Lifecycle();
    live.publish(config);
    rooms = new ChatRooms(lifecycle, live);
    chat = new ChatService(rooms, live);
  });
  afterEach(() => rooms.onModuleDestroy());

  async function joined(name: string, room: string): Promise<Client> {
    const client = new Client(chat, name).send(room);
    expect(await client.next()).toBe(`JOINED ${name}`);
    return client;
  }

  it('tells everybody in the room who comes, what is said and who goes', async () => {
    const ann = await joined('ann', 'tea');
    const bob = await joined('bob', 'tea');
    bob.send('', 'hello').send('tea', 'all').end();

    expect([await ann.next(), await ann.next(), await ann.next(), await ann.next()]).toEqual([
      'JOINED bob',
      'MESSAGE bob: hello',
      'MESSAGE bob: all',
      'LEFT bob',
    ]);
    expect(await bob.rest()).toEqual(['MESSAGE bob: hello', 'MESSAGE bob: all']);
  });

  it('says something with the first message already', async () => {
    const ann = new Client(chat, 'ann').send('tea', 'hi').end();

    expect(await ann.rest()).toEqual(['JOINED ann', 'MESSAGE ann: hi']);
  });

  it('keeps rooms apart, and forgets those that are empty', async () => {
    const ann = await joined('ann', 'tea');
    const bob = await joined('bob', 'beer');
    bob.send('', 'cheers').end();
    await bob.rest();
    expect(rooms.size).toBe(1);

    ann.end();

    expect(await ann.rest()).toEqual([]);
    expect(rooms.size).toBe(0);
  });

  it('does not let a member who reads slowly hold up the others, and tells it how much it missed', async () => {
    const slow = await joined('slow', 'tea');
    const ann = await joined('ann', 'tea');
    for (let index = 0; index < 10; index += 1) {
      ann.send('', `${index}`);
      expect(await ann.next()).toBe(`MESSAGE ann: ${index}`);
    }

    // 11 events, of which 4 wait: "JOINED ann" and the first six messages are gone.
    expect([await slow.next(), await slow.next(), await slow.next()]).toEqual([
      'MISSED 7',
      'MESSAGE ann: 6',
      'MESSAGE ann: 7',
    ]);
  });

  it('keeps as many events for a new member as the configuration says now', async () => {
    live.publish({ ...config, queueSize: 8 });
    const slow = await joined('slow', 'tea');
    const ann = await joined('ann', 'tea');
    for (let index = 0; index < 10; index += 1) {
      ann.send('', `${index}`);
      await ann.next();
    }

    expect(await slow.next()).toBe('MISSED 3');
  });

  it.each([
    ['without a room', [['', 'hi']], 'room'],
    [
      'that moves to another room',
      [
        ['tea', ''],
        ['beer', 'hi'],
      ],
      'room',
    ],
    [
      'that says nothing',
      [
        ['tea', ''],
        ['', ''],
      ],
      'text',
    ],
  ])('refuses a member %s', async (_, requests, field) => {
    const client = new Client(chat, 'ann');
    for (const [room = '', text] of requests) client.send(room, text);

    await expect(client.rest()).rejects.toMatchObject({ violations: [expect.objectContaining({ field })] });
    expect(rooms.size).toBe(0);
  });

  it('ends with the error of the stream, and the others go on', async () => {
    const ann = await joined('ann', 'tea');
    const bob = await joined('bob', 'tea');
    await ann.next();

    bob.end(new ValidationError([{ field: 'text', rule: 'maxLength', message: 'text is too long' }]));

    await expect(bob.rest()).rejects.toMatchObject({ reason: 'VALIDATION_FAILED' });
    expect(await ann.next()).toBe('LEFT bob');
  });

  it('takes no more members than it may, into a room and altogether', async () => {
    const members = [await joined('a', 'tea'), await joined('b', 'tea'), await joined('c', 'tea')];
    await expect(new Client(chat, 'd').send('tea').rest()).rejects.toMatchObject({
      reason: 'CHAT_FULL',
      metadata: { limit: '3' },
    });
    members.push(await joined('d', 'beer'));

    await expect(new Client(chat, 'e').send('wine').rest()).rejects.toMatchObject({
      reason: 'CHAT_FULL',
      metadata: { limit: '4' },
    });

    for (const member of members) await member.stream.return();
    expect(rooms.size).toBe(0);
  });

  it('lets a member go whose caller has gone', async () => {
    const deadline = new Deadline(60_000);
    const context = new RequestContext({ face: 'grpc', operation: '', peer: '', header: () => undefined, deadline });
    const ann = await joined('ann', 'tea');
    const bob = runInContext(context, () => new Client(chat, 'bob')).send('tea');
    await bob.next();
    const waiting = bob.next();

    deadline.cancel();

    expect(await waiting).toBeUndefined();
    expect([await ann.next(), await ann.next()]).toEqual(['JOINED bob', 'LEFT bob']);
  });

  describe('while the process drains', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
    afterEach(() => void vi.useRealTimers());

    it('ends a call in which nothing happens, and first lets one finish in which something does', async () => {
      const quiet = await joined('quiet', 'tea');
      const busy = await joined('busy', 'beer');
      lifecycle.advance('draining');

      for (let index = 0; index < 4; index += 1) {
        await vi.advanceTimersByTimeAsync(200);
        busy.send('', `${index}`);
        expect(await busy.next()).toBe(`MESSAGE busy: ${index}`);
      }
      expect(await quiet.rest()).toEqual([]);
      expect(rooms.size).toBe(1);

      await vi.advanceTimersByTimeAsync(400);
      expect(await busy.rest()).toEqual([]);
      expect(rooms.size).toBe(0);
    });

    it('ends calls by the times that the configuration says now', async () => {
      const quiet = await joined('quiet', 'tea');
      live.publish({ ...config, drainQuietMs: 2000, drainLimitMs: 1000 });
      lifecycle.advance('draining');

      await vi.advanceTimersByTimeAsync(900);
      expect(rooms.size).toBe(1);
      await vi.advanceTimersByTimeAsync(200);
      expect(await quiet.rest()).toEqual([]);
      const other = await joined('other', 'tea');
      live.publish({ ...config, drainQuietMs: 100, drainLimitMs: 60_000 });
      await vi.advanceTimersByTimeAsync(200);

      expect(await other.rest()).toEqual([]);
      expect(rooms.size).toBe(0);
    });

    it('ends every call in the end', async () => {
      const busy = await joined('busy', 'tea');
      lifecycle.advance('draining');

      for (let passedMs = 0; passedMs < 5100; passedMs += 100) {
        await vi.advanceTimersByTimeAsync(100);
        busy.send('', 'still here');
        await Promise.resolve();
      }

      expect((await busy.rest()).length).toBeGreaterThan(0);
      expect(rooms.size).toBe(0);
    });
  });
});

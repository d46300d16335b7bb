import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Injectable } from '@nestjs/common';
import { Config } from 'rookery/config';
import { currentSignal, type Live } from 'rookery/core';
import { ValidationError } from 'rookery/pipeline';
import { JoinResponse_Kind, type JoinResponseSchema } from '../../gen/chat/service/v1/chat_pb.js';
import { ChatConfig } from './chat.config.js';
import { type ChatEvent, ChatMember, type ChatRoom } from './chat-room.js';
import { ChatRooms } from './chat-rooms.js';

type JoinMessage = MessageInitShape<typeof JoinResponseSchema>;

/** What a member sends: the first message names the room. */
export interface ChatRequest {
  readonly room: string;
  readonly text: string;
}

const kinds = {
  joined: JoinResponse_Kind.JOINED,
  message: JoinResponse_Kind.MESSAGE,
  left: JoinResponse_Kind.LEFT,
} as const;

// Longer than a round trip; who only talks and never listens pays it once.
const listenPatienceMs = 200;

/** Rooms in which members talk to each other, in this process. */
@Injectable()
export class ChatService {
  readonly #rooms: ChatRooms;
  readonly #config: Live<ChatConfig>;

  constructor(rooms: ChatRooms, @Config(ChatConfig) config: Live<ChatConfig>) {
    this.#rooms = rooms;
    this.#config = config;
  }

  /**
   * Puts `name` into the room that its first message names, until it sends no more or its caller goes.
   *
   * @throws ValidationError no room in the first message, another one in a later, or a later one without text
   * @throws ChatFullError
   */
  join(name: string, requests: AsyncIterable<ChatRequest>): AsyncGenerator<JoinMessage, void, undefined> {
    // Taken here: the generator below may be run by others.
    return this.#join(name, requests, currentSignal());
  }

  async *#join(
    name: string,
    requests: AsyncIterable<ChatRequest>,
    signal: AbortSignal,
  ): AsyncGenerator<JoinMessage, void, undefined> {
    const member = this.#rooms.admit(new ChatMember(name, this.#config.value.queueSize));
    member.events.closeOn(signal);
    // Beside the answers: who says nothing hears the others, and who hears nothing is heard.
    const listening = this.#listen(member, requests[Symbol.asyncIterator]());
    try {
      for await (const { value, missed } of member.events) {
        if (missed > 0) yield missedMessage(value, missed);
        yield eventMessage(value);
      }
    } finally {
      this.#rooms.dismiss(member);
      await listening.stop();
    }
  }

  #listen(member: ChatMember, requests: AsyncIterator<ChatRequest>): { stop: () => Promise<void> } {
    const run = async (): Promise<void> => {
      let room: ChatRoom | undefined;
      for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
        member.activeAtMs = performance.now();
        room = this.#hear(member, room, next.value);
        // Who talks faster than it listens is slowed down, lest it miss what it said itself.
        await member.events.room(listenPatienceMs);
      }
    };
    run().then(
      () => this.#rooms.dismiss(member),
      (error: unknown) => member.events.fail(error),
    );
    // Not awaited: the other side may send nothing more, and never end.
    return { stop: async () => void requests.return?.().catch(() => undefined) };
  }

  #hear(member: ChatMember, joined: ChatRoom | undefined, { room: name, text }: ChatRequest): ChatRoom {
    if (joined === undefined) {
      if (name === '') throw wrong('room', 'isNotEmpty', 'room must be named in the first message');
      const room = this.#rooms.enter(member, name);
      if (text !== '') room.say(member, text);
      return room;
    }
    if (name !== '' && name !== joined.name) throw wrong('room', 'isUnchanged', `room must be empty or ${joined.name}`);
    if (text === '') throw wrong('text', 'isNotEmpty', 'text must not be empty');
    joined.say(member, text);
    return joined;
  }
}

function wrong(field: string, rule: string, message: string): ValidationError {
  return new ValidationError([{ field, rule, message }]);
}

function eventMessage({ kind, room, sender, text, sentAtMs }: ChatEvent): JoinMessage {
  return { kind: kinds[kind], room, sender, text, sentAt: timestampFromMs(sentAtMs) };
}

// It stands for what came before `next`.
function missedMessage(next: ChatEvent, missed: number): JoinMessage {
  return {
    kind: JoinResponse_Kind.MISSED,
    room: next.room,
    missed: BigInt(missed),
    sentAt: timestampFromMs(next.sentAtMs),
  };
}

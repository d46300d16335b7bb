import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Config } from 'rookery/config';
import { Lifecycle, type Live } from 'rookery/core';
import { ChatConfig } from './chat.config.js';
import { ChatFullError } from './chat.errors.js';
import { type ChatMember, ChatRoom } from './chat-room.js';

// How often a draining process looks for members to whom nothing happens any more.
const sweepEveryMs = 50;

/** All rooms of this process and all calls, those included that have not named a room yet. Empty rooms vanish. */
@Injectable()
export class ChatRooms implements OnModuleDestroy {
  readonly #rooms = new Map<string, ChatRoom>();
  readonly #roomOf = new Map<ChatMember, ChatRoom | undefined>();
  readonly #config: Live<ChatConfig>;
  readonly #unsubscribe: () => void;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(lifecycle: Lifecycle, @Config(ChatConfig) config: Live<ChatConfig>) {
    this.#config = config;
    this.#unsubscribe = lifecycle.onChange((phase) => {
      if (phase === 'draining') this.#drain();
    });
  }

  /** Rooms there are. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Lets a member in, as yet to no room; `dismiss` it at last. @throws ChatFullError */
  admit(member: ChatMember): ChatMember {
    const { maxMembers } = this.#config.value;
    if (this.#roomOf.size >= maxMembers) throw new ChatFullError(maxMembers);
    this.#roomOf.set(member, undefined);
    return member;
  }

  /** Puts an admitted member into the room of that name. @throws ChatFullError */
  enter(member: ChatMember, name: string): ChatRoom {
    const room = this.#rooms.get(name) ?? new ChatRoom(name);
    const { maxMembersPerRoom } = this.#config.value;
    if (room.size >= maxMembersPerRoom) throw new ChatFullError(maxMembersPerRoom);
    this.#rooms.set(name, room);
    this.#roomOf.set(member, room);
    room.enter(member);
    return room;
  }

  /** Takes a member out; it gets what waits for it, then the end. A second call changes nothing. */
  dismiss(member: ChatMember): void {
    const room = this.#roomOf.get(member);
    this.#roomOf.delete(member);
    room?.leave(member);
    if (room?.size === 0) this.#rooms.delete(room.name);
    member.events.close();
  }

  onModuleDestroy(): void {
    this.#unsubscribe();
    clearInterval(this.#sweeping);
  }

  // Who is in the middle of a conversation may finish it; a call in which nothing happens must not hold up the stop.
  #drain(): void {
    const startedAtMs = performance.now();
    this.#sweeping = setInterval(() => {
      const { drainQuietMs, drainLimitMs } = this.#config.value;
      const nowMs = performance.now();
      const isOver = nowMs - startedAtMs >= drainLimitMs;
      for (const member of [...this.#roomOf.keys()]) {
        if (isOver || nowMs - member.activeAtMs >= drainQuietMs) this.dismiss(member);
      }
    }, sweepEveryMs).unref();
  }
}

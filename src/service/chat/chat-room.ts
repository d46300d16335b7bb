import { SubscriberQueue } from '../fanout/index.js';

/** What happens in a room. */
export interface ChatEvent {
  readonly kind: 'joined' | 'message' | 'left';
  readonly room: string;
  readonly sender: string;
  readonly text: string;
  readonly sentAtMs: number;
}

/** One call of one person; a person may be in a room several times. */
export class ChatMember {
  readonly events: SubscriberQueue<ChatEvent>;
  /** When something last came from or went to it, on the clock of `performance.now()`. */
  activeAtMs: number = performance.now();

  constructor(
    readonly name: string,
    queueSize: number,
  ) {
    this.events = new SubscriberQueue(queueSize);
  }
}

/** The members of one room. */
export class ChatRoom {
  readonly #members = new Set<ChatMember>();

  constructor(readonly name: string) {}

  get size(): number {
    return this.#members.size;
  }

  /** The newcomer is told too: it is how it knows that it is in. */
  enter(member: ChatMember): void {
    this.#members.add(member);
    this.#tell('joined', member, '');
  }

  say(member: ChatMember, text: string): void {
    this.#tell('message', member, text);
  }

  /** A second call changes nothing. */
  leave(member: ChatMember): void {
    if (this.#members.delete(member)) this.#tell('left', member, '');
  }

  #tell(kind: ChatEvent['kind'], { name }: ChatMember, text: string): void {
    const event: ChatEvent = { kind, room: this.name, sender: name, text, sentAtMs: Date.now() };
    for (const member of this.#members) {
      member.activeAtMs = performance.now();
      member.events.push(event);
    }
  }
}

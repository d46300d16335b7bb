import type { CreateUserInput } from './bench.dto.js';

/** What the service keeps. */
export interface StoredUser {
  readonly displayName: string;
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly age: number;
  readonly createdAt: Date;
}

const users: ReadonlyMap<string, StoredUser> = new Map([
  [
    '1',
    {
      displayName: 'Alice',
      id: '1',
      email: 'alice@example.com',
      role: 'developer',
      age: 34,
      createdAt: new Date('2026-01-01T00:00:00Z'),
    },
  ],
]);

let lastId = 1_000_000_000;

/** In memory and without a database, as the peer in Go has it. */
export function findUser(id: string): StoredUser | undefined {
  return users.get(id);
}

/** Keeps nothing: a load makes millions. */
export function makeUser(input: CreateUserInput): CreateUserInput & { id: string } {
  const { displayName, email, role, age, newsletter, address } = input;
  lastId += 1;
  return { id: String(lastId), displayName, email, role, age, newsletter, address };
}

/** The message of a stream. */
export const kibibyte = Buffer.alloc(1024, 'x');

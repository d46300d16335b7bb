import { Injectable } from '@nestjs/common';
import { type ExpressionBuilder, sql } from 'kysely';
import { Database, type Schema, UniqueViolation } from '../database/index.js';
import { emailKeyOf, type StoredUser, type UserFields } from './user.js';
import { UserEmailTakenError } from './users.errors.js';

/** The table `users`. */
@Injectable()
export class UsersRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async find(id: string): Promise<StoredUser | undefined> {
    const row = await this.#database.db.selectFrom('users').select(columns).where('id', '=', id).executeTakeFirst();
    return row && userOf(row);
  }

  /** Up to `limit` users with an id above `afterId`, in the order of their ids. */
  async page(afterId: bigint, limit: number): Promise<StoredUser[]> {
    const rows = await this.#database.db
      .selectFrom('users')
      .select(columns)
      .where('id', '>', afterId.toString())
      // Qualified: the bare name would mean the selected text, and '10' sorts before '9'.
      .orderBy('users.id')
      .limit(limit)
      .execute();
    return rows.map(userOf);
  }

  /** @throws UserEmailTakenError */
  async insert(fields: UserFields, createdAtMs: number): Promise<StoredUser> {
    const row = await this.#unlessTaken(fields.email, () =>
      this.#database.db
        .insertInto('users')
        .values({ ...valuesOf(fields), created_at_ms: createdAtMs })
        .returning(columns)
        .executeTakeFirstOrThrow(),
    );
    return userOf(row);
  }

  /**
   * Changes the fields that are properties of `changes`; `age: undefined` removes the age.
   *
   * @returns the user after the change; `undefined` when there is none
   * @throws UserEmailTakenError
   */
  async update(id: string, changes: Partial<UserFields>): Promise<StoredUser | undefined> {
    const values = changedValuesOf(changes);
    if (Object.keys(values).length === 0) return this.find(id);
    const row = await this.#unlessTaken(changes.email ?? '', () =>
      this.#database.db.updateTable('users').set(values).where('id', '=', id).returning(columns).executeTakeFirst(),
    );
    return row && userOf(row);
  }

  /** @returns the user that was removed; `undefined` when there was none */
  async remove(id: string): Promise<StoredUser | undefined> {
    const row = await this.#database.db.deleteFrom('users').where('id', '=', id).returning(columns).executeTakeFirst();
    return row && userOf(row);
  }

  /** Adds `users` if there is no user at all. Instances that do so at the same time add them once. */
  async seed(users: readonly UserFields[], createdAtMs: number): Promise<void> {
    await this.#database.db.transaction().execute(async (transaction) => {
      const first = await transaction.selectFrom('users').select('email').limit(1).executeTakeFirst();
      if (first !== undefined) return;
      await transaction
        .insertInto('users')
        .values(users.map((fields) => ({ ...valuesOf(fields), created_at_ms: createdAtMs })))
        .onConflict((conflict) => conflict.column('email_key').doNothing())
        .execute();
    });
  }

  async #unlessTaken<T>(email: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (error instanceof UniqueViolation && error.constraint === 'users_email_key') {
        throw new UserEmailTakenError(email, { cause: error });
      }
      throw error;
    }
  }
}

interface UserRow {
  readonly id: string;
  readonly display_name: string;
  readonly email: string;
  readonly role: string;
  readonly age: number | null;
  readonly created_at_ms: string;
}

function columns(_: ExpressionBuilder<Schema, 'users'>) {
  return [
    sql<string>`cast(users.id as text)`.as('id'),
    'users.display_name',
    'users.email',
    'users.role',
    'users.age',
    'users.created_at_ms',
  ] as const;
}

function userOf(row: UserRow): StoredUser {
  return {
    id: row.id,
    displayName: row.display_name,
    email: row.email,
    role: row.role,
    age: row.age ?? undefined,
    createdAtMs: Number(row.created_at_ms),
  };
}

function valuesOf({ displayName, email, role, age }: UserFields) {
  return { display_name: displayName, email, email_key: emailKeyOf(email), role, age: age ?? null };
}

function changedValuesOf(changes: Partial<UserFields>) {
  const { displayName, email, role } = changes;
  return {
    ...(displayName !== undefined && { display_name: displayName }),
    ...(email !== undefined && { email, email_key: emailKeyOf(email) }),
    ...(role !== undefined && { role }),
    ...('age' in changes && { age: changes.age ?? null }),
  };
}

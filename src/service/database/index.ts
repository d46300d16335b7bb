/**
 * The service's data: SQLite in a file by default, PostgreSQL when `DATABASE_URL` names one; one schema for both,
 * brought up to date at start.
 *
 * @example
 * constructor(private readonly database: Database) {}
 * this.database.db.selectFrom('users').select('email').where('id', '=', id).executeTakeFirst();
 */
export { Database } from './database.js';
export { DatabaseConfig } from './database.config.js';
export { UniqueViolation } from './database.errors.js';
export type { Schema } from './schema.js';
export { DatabaseModule } from './database.module.js';
export { detached } from './detached.js';

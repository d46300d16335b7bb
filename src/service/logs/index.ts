/**
 * Log entries of clients: `log.service.v1.LogService` and `/api/v1/logs`.
 *
 * @example
 * imports: [LogsModule]
 */
export { LogsModule } from './logs.module.js';

import type { LoggerService } from '@nestjs/common';

// Where Nest tells every module and route it sets up: dozens of lines that say what the code says.
const chatty: ReadonlySet<unknown> = new Set([
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestFactory',
  'NestApplication',
  'NestMicroservice',
]);

/** Nest's logger, with the notices of its own start at level debug instead of info. */
export function startLogger(logger: LoggerService): LoggerService {
  const quiet = Object.create(logger) as LoggerService;
  quiet.log = (message: unknown, ...rest: unknown[]): void => {
    if (chatty.has(rest.at(-1))) logger.debug?.(message, ...rest);
    else logger.log(message, ...rest);
  };
  // The reason of a start that fails is told once, by the process.
  quiet.error = (message: unknown, ...rest: unknown[]): void => {
    if (rest.at(-1) === 'NestApplication' && /\blisten E/.test(String(message))) logger.debug?.(message, ...rest);
    else logger.error(message, ...rest);
  };
  return quiet;
}

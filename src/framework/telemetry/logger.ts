import { type Bindings, type ChildLoggerOptions, type DestinationStream, type Logger, pino } from 'pino';
import { currentContext, type Live } from '../core/index.js';
import type { LogOptions } from './log.options.js';
import { Redaction, scrubText } from './redaction.js';
import { StandardOutput, standardOutput } from './standard-output.js';

/** Token of the pino logger behind all others, and behind `PinoLogger` and `Logger` of nestjs-pino. */
export const LOGGER: unique symbol = Symbol('LOGGER');

/** Token of where lines go, as pino's `DestinationStream`; standard output when nobody provides it. */
export const LOG_DESTINATION: unique symbol = Symbol('LOG_DESTINATION');

/**
 * Makes the logger of the process. Every line written while a request is served carries its `requestId` and `traceId`,
 * on either face; secrets are masked by the names of their fields and by what they look like. Level and names follow
 * `options` while it runs, also in child loggers.
 *
 * @param output standard output when left out, which is bounded, and never waited for
 */
export function createLogger(options: Live<LogOptions>, output: DestinationStream = standardOutput()): Logger {
  const redaction = new Redaction();
  redaction.also(options.value.redact);
  const logger = pino(
    {
      level: options.value.level,
      timestamp: timestamp(),
      mixin: requestFields,
      mixinMergeStrategy: (fields, added) =>
        added === noFields || 'requestId' in fields ? fields : { ...added, ...fields },
      serializers: { err: (error: unknown) => error },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redaction.apply(fields),
      },
      hooks: { streamWrite: scrubText },
    },
    output,
  );
  redactChildren(logger, redaction);
  options.subscribe(({ level, redact }) => {
    logger.level = level;
    redaction.also(redact);
  });
  if (output instanceof StandardOutput) bound(output, options, logger);
  return logger;
}

function bound(output: StandardOutput, options: Live<LogOptions>, logger: Logger): void {
  const apply = ({ maxBufferedBytes }: LogOptions): void => {
    output.maxBufferedBytes = maxBufferedBytes;
  };
  apply(options.value);
  options.subscribe(apply);
  // Whatever the level is: a reader of the log must know that it has a gap.
  const gaps = logger.child({}, { level: 'warn' });
  output.onDropped = (lines) => gaps.warn({ droppedLines: lines }, 'log lines were dropped');
}

// pino's formatter for bindings is not asked for those of children. They have the root for prototype, so one `child` does.
function redactChildren(logger: Logger, redaction: Redaction): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with the logger it is asked of, below
  const child = logger.child as unknown as (this: Logger, bindings: Bindings, options?: ChildLoggerOptions) => Logger;
  const redacting = function (this: Logger, bindings: Bindings, options?: ChildLoggerOptions): Logger {
    return child.call(this, redaction.apply(bindings), options);
  };
  Object.defineProperty(logger, 'child', { value: redacting });
}

const noFields = {};

function requestFields(): object {
  const context = currentContext();
  return context === undefined ? noFields : { requestId: context.requestId, traceId: context.trace.traceId };
}

// Making the text costs a third of a plain line; under load many lines share their millisecond.
function timestamp(): () => string {
  let atMs = 0;
  let text = '';
  return () => {
    const nowMs = Date.now();
    if (nowMs !== atMs) {
      atMs = nowMs;
      text = `,"time":"${new Date(nowMs).toISOString()}"`;
    }
    return text;
  };
}

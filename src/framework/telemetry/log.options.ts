import { ArrayMaxSize, IsArray, IsBoolean, IsIn, IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { ConfigPrefix } from '../core/index.js';
import { defaultMaxBufferedBytes } from './standard-output.js';

/** Levels of the log, the rarest first; `silent` writes nothing. */
export const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** One of `logLevels`. */
export type LogLevel = (typeof logLevels)[number];

/** The log; the section `log` of the configuration. It is written to standard output, one JSON object per line. */
@ConfigPrefix('log')
export class LogOptions {
  /** Lines below this level are not written. */
  @IsIn(logLevels)
  readonly level: LogLevel = 'info';

  /** Write one line per request, on either face; probes get none. */
  @IsBoolean()
  readonly access: boolean = true;

  /**
   * Names of further fields whose values are masked wherever they stand in a line, without regard to case, `-` and `_`.
   * Authorization, cookies, passwords, secrets, tokens and keys always are.
   */
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @MaxLength(100, { each: true })
  readonly redact: readonly string[] = [];

  /**
   * Memory for lines that standard output does not take yet, in bytes. Lines that find no room are dropped and counted: the
   * log holds up neither requests nor the stop.
   */
  @IsInt()
  @Min(131_072)
  @Max(1_073_741_824)
  readonly maxBufferedBytes: number = defaultMaxBufferedBytes;
}

/** Token of the present `LogOptions`, as `Live<LogOptions>`. */
export const LOG_OPTIONS: unique symbol = Symbol('LOG_OPTIONS');

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { UploadSummarySchema } from '../../gen/log/service/v1/log_pb.js';
import { compareInstants, type Instant, type LogEntry } from './log-entry.js';

/** Counts the entries of one upload for its summary. */
export class UploadTally {
  #accepted = 0;
  readonly #byLevel = new Map<string, bigint>();
  #first: Instant | undefined;
  #last: Instant | undefined;

  get accepted(): number {
    return this.#accepted;
  }

  add({ level, time }: LogEntry): void {
    this.#accepted += 1;
    this.#byLevel.set(level, (this.#byLevel.get(level) ?? 0n) + 1n);
    if (this.#first === undefined || compareInstants(time, this.#first) < 0) this.#first = time;
    if (this.#last === undefined || compareInstants(time, this.#last) > 0) this.#last = time;
  }

  summary(): MessageInitShape<typeof UploadSummarySchema> {
    return {
      accepted: BigInt(this.#accepted),
      acceptedByLevel: Object.fromEntries(this.#byLevel),
      ...(this.#first !== undefined && { firstTime: this.#first }),
      ...(this.#last !== undefined && { lastTime: this.#last }),
    };
  }
}

import { callerKey, type CallerKind, type Lease, type RequestContext } from '../core/index.js';

/** What a caller may have at work at a time; 0: no limit. */
export interface LoadLimit {
  readonly maxConcurrentRequests: number;
  readonly maxConcurrentStreams: number;
  readonly by: CallerKind;
}

/** What one caller has at work now. */
class CallerLoad {
  requests = 0;
  streams = 0;
  readonly ofRequest: Lease;
  readonly ofStream: Lease;
  readonly #forget: () => void;

  constructor(forget: () => void) {
    this.#forget = forget;
    this.ofStream = { end: () => this.#end('streams'), toStream: () => this.ofStream };
    this.ofRequest = { end: () => this.#end('requests'), toStream: () => this.#toStream() };
  }

  #end(kind: 'requests' | 'streams'): void {
    this[kind] -= 1;
    if (this.requests + this.streams === 0) this.#forget();
  }

  // Its handler has begun: that it is a stream is not to be refused any more.
  #toStream(): Lease {
    this.requests -= 1;
    this.streams += 1;
    return this.ofStream;
  }
}

/** Counts what each caller has at work; a caller that has nothing is forgotten. */
export class CallerLoads {
  readonly #loads = new Map<string, CallerLoad>();
  /** Since the start. */
  refused = 0;

  /** Callers that have something at work. */
  get size(): number {
    return this.#loads.size;
  }

  /** Counts a request until it ends. Returns false: its caller has as many as it may have. */
  admit(context: RequestContext, limit: LoadLimit): boolean {
    const most = context.isStream ? limit.maxConcurrentStreams : limit.maxConcurrentRequests;
    if (most === 0 || context.lease !== undefined) return true;
    const load = this.#loadOf(callerKey(context, limit.by));
    if ((context.isStream ? load.streams : load.requests) >= most) {
      this.refused += 1;
      return false;
    }
    if (context.isStream) load.streams += 1;
    else load.requests += 1;
    context.lease = context.isStream ? load.ofStream : load.ofRequest;
    return true;
  }

  #loadOf(key: string): CallerLoad {
    let load = this.#loads.get(key);
    if (load === undefined) this.#loads.set(key, (load = new CallerLoad(() => this.#loads.delete(key))));
    return load;
  }
}

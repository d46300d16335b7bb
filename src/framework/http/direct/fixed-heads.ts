import type { HeaderField } from '../../http2/index.js';
import { statusField } from '../rest-fields.js';
import type { FixedHeaders } from '../security-headers.js';

const jsonAnswer: HeaderField = { name: 'content-type', value: 'application/json; charset=utf-8' };

/** What all answers in JSON begin with: one list for each status, by which the engines know it again. */
export class FixedHeads {
  readonly #common: readonly HeaderField[];
  readonly #lists = new Map<number, readonly HeaderField[]>();

  /** @param headers of every answer */
  constructor(headers: FixedHeaders) {
    this.#common = [jsonAnswer, ...Object.entries(headers).map(([name, value]) => ({ name, value }))];
  }

  /** Not to be changed. There are no more of them than statuses. */
  of(status: number): readonly HeaderField[] {
    let list = this.#lists.get(status);
    if (list === undefined) {
      list = [statusField(status), ...this.#common];
      this.#lists.set(status, list);
    }
    return list;
  }
}

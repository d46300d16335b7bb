// RFC 7541 section 6.2.2, literals without indexing that come again and again.

const slots = 8;

/** Longer ones, with the octet of the length, are rarely sent twice, and would cost each connection the room. */
const maxLiteralBytes = 64;

/** Shorter ones are unpacked as fast as they are compared. */
const minLiteralBytes = 12;

/**
 * Some clients (all that use nghttp2: curl, node:http2) never index `:path`, and others index nothing at all. The last
 * such fields of a connection are kept with the octets that they came in: 250 ns to unpack a method's path become 50,
 * and whoever looks the path up in a map gets a string that has its hash already. Made on first use, 1 KiB.
 */
export class RecentLiterals {
  readonly #octets = new Uint8Array(slots * maxLiteralBytes);
  readonly #lengths = new Uint8Array(slots);
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  readonly #marks: number[] = [];

  constructor() {
    for (let slot = 0; slot < slots; slot += 1) {
      this.#names.push('');
      this.#values.push('');
      this.#marks.push(0);
    }
  }

  /**
   * The only slot where the string that begins at `start` may be kept; negative when it is not of a kind that is.
   *
   * @param start of the string's length
   */
  slotOf(block: Uint8Array, start: number, end: number): number {
    const length = ((block[start] as number) & 0x7f) + 1;
    if (length < minLiteralBytes || length > maxLiteralBytes || start + length > end) return -1;
    const last = start + length - 1;
    return ((block[last] as number) + (block[last - 1] as number) * 3 + (block[last - 4] as number) + length) % slots;
  }

  /** Whether the slot has the field `name` with just these octets. */
  has(slot: number, name: string, block: Uint8Array, start: number): boolean {
    const length = ((block[start] as number) & 0x7f) + 1;
    if (this.#lengths[slot] !== length || this.#names[slot] !== name) return false;
    const octets = this.#octets;
    const from = slot * maxLiteralBytes;
    for (let at = length - 1; at >= 0; at -= 1) if (octets[from + at] !== block[start + at]) return false;
    return true;
  }

  /** Octets that the string in the slot took in its block. */
  lengthIn(slot: number): number {
    return this.#lengths[slot] as number;
  }

  valueIn(slot: number): string {
    return this.#values[slot] as string;
  }

  markIn(slot: number): number {
    return this.#marks[slot] as number;
  }

  /** Puts a field into the slot that `slotOf` gave for it. */
  keep(slot: number, name: string, value: string, mark: number, block: Uint8Array, start: number): void {
    const length = ((block[start] as number) & 0x7f) + 1;
    const from = slot * maxLiteralBytes;
    for (let at = 0; at < length; at += 1) this.#octets[from + at] = block[start + at] as number;
    this.#lengths[slot] = length;
    this.#names[slot] = name;
    this.#values[slot] = value;
    this.#marks[slot] = mark;
  }
}

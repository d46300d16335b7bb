import type { DescMessage } from '@bufbuild/protobuf';

/** What generated source refers to by name: functions of other messages, and values that have no literal. */
export class References {
  readonly #functionsOf: (desc: DescMessage) => unknown;
  readonly #variables: string[] = [];
  readonly #names = new Map<unknown, string>();

  constructor(functionsOf: (desc: DescMessage) => unknown) {
    this.#functionsOf = functionsOf;
  }

  /** Name of the generated functions of `desc`. */
  functions(desc: DescMessage): string {
    return this.value(this.#functionsOf(desc));
  }

  /** Name of `value`. */
  value(value: unknown): string {
    const name = this.#names.get(value) ?? `r${this.#names.size}`;
    this.#names.set(value, name);
    return name;
  }

  /** Name of a variable of the generated function's own that outlives its calls. */
  variable(initial: string): string {
    const name = `s${this.#variables.length}`;
    this.#variables.push(`${name} = ${initial}`);
    return name;
  }

  /** Source that gives the names their values, from an array `refs`. */
  get prelude(): string {
    const variables = this.#variables.length === 0 ? '' : `let ${this.#variables.join(', ')};`;
    return `const [${[...this.#names.values()].join(', ')}] = refs; ${variables}`;
  }

  get values(): unknown[] {
    return [...this.#names.keys()];
  }
}

import type { FieldViolation } from '../../core/index.js';
import { maxViolations } from '../field-violation.js';
import { Acceptance, type Check } from './acceptance.js';
import { type DtoPlan, planOf } from './dto-plan.js';
import { Explanation } from './explain.js';
import { InstanceMaker, type UnknownCount } from './instance-maker.js';
import { notHere } from './rule.js';
import type { ValueSource } from './value-source.js';

/** An instance that breaks rules. */
export class Refused {
  constructor(
    readonly instance: object,
    readonly violations: readonly FieldViolation[],
  ) {}
}

/** What may differ from one use of a class to another. */
export interface CompileOptions {
  readonly source: ValueSource;
  /** Whether an unknown property of the outermost object counts as absent. */
  readonly isMissing?: (value: unknown) => boolean;
  /** Leaves binary values in the place of nested objects to the library. */
  readonly refusesBinary?: boolean;
  /** Whether functions may be made from text; by default as the process allows. */
  readonly generate?: boolean;
}

/**
 * One class made into functions: what `plainToInstance` and `validate` do with it, without looking up its metadata
 * each time, and synchronously.
 */
export class CompiledDto {
  readonly #plan: DtoPlan;
  readonly #make: (source: object) => object;
  readonly #check: Check | undefined;
  readonly #explanation: Explanation;
  /** Counts up, so that a constructor or a validator that reads another value in between takes nothing away. */
  readonly #unknown: UnknownCount = { seen: 0, enough: 0 };

  /** @throws NotCompilable */
  constructor(dto: new () => object, options: CompileOptions) {
    const plans = new Map<DtoPlan['dto'], DtoPlan>();
    this.#plan = planOf(dto, plans);
    const generate = options.generate ?? canGenerate();
    this.#make = new InstanceMaker(options.source, generate, this.#unknown).makerOf(this.#plan, options.isMissing);
    // Without functions from text the explanation alone decides: right as well, and several times slower.
    const acceptance = generate ? new Acceptance() : undefined;
    this.#check = acceptance?.of(this.#plan);
    this.#explanation = new Explanation(plans, acceptance, options.refusesBinary ?? false);
  }

  /** @returns the instance, the refused instance, or undefined for what only the library can convert or check */
  read(value: object): object | Refused | undefined {
    try {
      const before = this.#unknown.seen;
      this.#unknown.enough = before + maxViolations + 1;
      const instance = this.#make(value);
      const hasUnknown = this.#unknown.seen !== before;
      if (!hasUnknown && this.#check?.accepts(instance) === true) return instance;
      const violations = this.#explanation.of(this.#plan, instance, hasUnknown);
      return violations.length === 0 ? instance : new Refused(instance, violations);
    } catch (error) {
      if (error === notHere) return undefined;
      throw error;
    }
  }
}

/** False under `--disallow-code-generation-from-strings`. */
function canGenerate(): boolean {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval
    return (new Function('return true') as () => boolean)();
  } catch {
    return false;
  }
}

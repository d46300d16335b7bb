import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type HandlerTarget, type PreparedCheck, type PreparedGuard, prepareGuard } from '../core/index.js';
import { featuresOf } from './feature.decorator.js';
import { FeatureOffError } from './features.errors.js';
import { Features } from './features.service.js';

/** Refuses what `@Feature()` says is off for the caller, on both faces. It belongs after authentication. */
@Injectable()
export class FeatureGuard implements CanActivate, PreparedGuard {
  readonly #features: Features;

  constructor(features: Features) {
    this.#features = features;
  }

  [prepareGuard]({ controller, handler }: HandlerTarget): PreparedCheck | undefined {
    const names = featuresOf(controller, handler);
    return names.length === 0 ? undefined : () => this.#check(names);
  }

  canActivate(execution: ExecutionContext): boolean {
    return this.#check(featuresOf(execution.getClass(), execution.getHandler()));
  }

  #check(names: readonly string[]): true {
    for (const name of names) {
      if (!this.#features.isOn(name)) throw new FeatureOffError(name);
    }
    return true;
  }
}

import { hash } from 'node:crypto';
import { type CallerKind, callerKinds } from '../core/index.js';

/**
 * For whom a feature is on: for all, for nobody, or for a part of the callers, as `"25%"` or with who counts as one
 * caller.
 */
export type FeatureRule = boolean | `${number}%` | { readonly percent: number; readonly by?: CallerKind };

/** A rule, ready to be asked. */
export interface PreparedRule {
  /** 0 – 100, fractions included. */
  readonly percent: number;
  readonly by: CallerKind;
}

const words: Readonly<Record<string, number>> = { true: 100, on: 100, yes: 100, false: 0, off: 0, no: 0 };
const percentPattern = /^(\d{1,3}(?:\.\d{1,6})?)%$/;

/** Reads a rule as files and variables have it; `undefined` where it is none. */
export function prepareRule(value: unknown): PreparedRule | undefined {
  if (typeof value === 'boolean') return { percent: value ? 100 : 0, by: 'principal' };
  if (typeof value === 'string') return fromText(value.trim());
  if (typeof value !== 'object' || value === null) return undefined;
  const { percent, by = 'principal', ...others } = value as { percent?: unknown; by?: unknown };
  if (!isPercent(percent) || !isCallerKind(by) || Object.keys(others).length > 0) return undefined;
  return { percent, by };
}

/**
 * Whether a caller is in the part for which a feature is on. The same on every process and after every restart; whoever is
 * in stays in when the part grows, and the parts of two features have nothing to do with each other.
 */
export function isCallerIn(feature: string, { percent }: PreparedRule, caller: string): boolean {
  if (percent >= 100) return true;
  if (percent <= 0) return false;
  return (hash('sha256', `${feature}\0${caller}`, 'buffer').readUInt32BE(0) / 2 ** 32) * 100 < percent;
}

function fromText(text: string): PreparedRule | undefined {
  const percent = words[text.toLowerCase()] ?? Number(percentPattern.exec(text)?.[1] ?? Number.NaN);
  if (isPercent(percent)) return { percent, by: 'principal' };
  if (!text.startsWith('{')) return undefined;
  try {
    return prepareRule(JSON.parse(text) as object);
  } catch {
    return undefined;
  }
}

function isPercent(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 100;
}

function isCallerKind(value: unknown): value is CallerKind {
  return (callerKinds as readonly unknown[]).includes(value);
}

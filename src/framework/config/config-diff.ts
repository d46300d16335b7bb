import { isDeepStrictEqual } from 'node:util';
import { isKeptOnRollback, isSecretOption, needsRestart, type OptionsClass } from '../core/index.js';
import { isTree, joinPath, type Origin, originOf } from './layer.js';
import { holdsPassword, isSecretProperty, shown } from './problem.js';

/** One value that differs between two versions. */
export interface Difference {
  /** Such as `server.port` or `server.peers[1].name`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
  /** Marked `@Secret()`, named like one, or inside of what is. */
  readonly isSecret: boolean;
  /** Secret, marked `@KeptOnRollback()`, or inside of what is. */
  readonly isKept: boolean;
  /** Marked `@NeedsRestart()`, or inside of what is, and not back at what the process runs with. */
  readonly needsRestart: boolean;
}

/** A difference that may be printed. */
export interface PrintableChange {
  readonly path: string;
  /** The value as text, 64 characters at most; `***` for a secret, `missing` where there was none. */
  readonly before: string;
  readonly after: string;
}

interface Marks {
  readonly isSecret: boolean;
  readonly isKept: boolean;
  readonly needsRestart: boolean;
}

/** The values below `at` that differ, each named once at its innermost path. */
export function differences(before: unknown, after: unknown, at: string): Difference[] {
  const found: Difference[] = [];
  collect(before, after, at, { isSecret: false, isKept: false, needsRestart: false }, found);
  return found;
}

/**
 * Leaves out the mark `needsRestart` where a value is back at what the process runs with.
 *
 * @param fromStart how the new values differ from those
 */
export function sinceStart(found: readonly Difference[], fromStart: readonly Difference[]): readonly Difference[] {
  const isBack = (path: string): boolean =>
    !fromStart.some((each) => isWithin(each.path, path) || isWithin(path, each.path));
  return found.map((each) => (each.needsRestart && isBack(each.path) ? { ...each, needsRestart: false } : each));
}

function isWithin(path: string, outer: string): boolean {
  return path.startsWith(outer) && ['', '.', '['].includes(path.charAt(outer.length));
}

/**
 * Marks the values that refer to a secret, whatever they are called themselves.
 *
 * @param origins where the values come from, before and after
 */
export function withReferences(
  found: readonly Difference[],
  ...origins: readonly ReadonlyMap<string, Origin>[]
): readonly Difference[] {
  const refers = (path: string): boolean => origins.some((each) => originOf(each, path)?.isSecret === true);
  return found.map((each) => (each.isSecret || !refers(each.path) ? each : { ...each, isSecret: true, isKept: true }));
}

/** @returns what may be printed of it */
export function printable({ path, before, after, isSecret }: Difference): PrintableChange {
  return { path, before: masked(before, isSecret), after: masked(after, isSecret) };
}

function collect(before: unknown, after: unknown, path: string, marks: Marks, found: Difference[]): void {
  if (Object.is(before, after)) return;
  if (canDescend(before, after, Array.isArray)) {
    const left = listOf(before);
    const right = listOf(after);
    for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
      collect(left[index], right[index], `${path}[${index}]`, marks, found);
    }
    noteEmptiness(before, after, path, marks, found);
    return;
  }
  if (canDescend(before, after, isPlain)) {
    collectKeys(before, after, path, marks, found);
    noteEmptiness(before, after, path, marks, found);
    return;
  }
  if (isDeepStrictEqual(before, after)) return;
  const isKept = marks.isKept || holdsPassword(before) || holdsPassword(after);
  found.push({ path, before, after, ...marks, isKept });
}

function collectKeys(before: unknown, after: unknown, path: string, marks: Marks, found: Difference[]): void {
  const left = isPlain(before) ? before : {};
  const right = isPlain(after) ? after : {};
  const options = classOf(after) ?? classOf(before);
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const isSecret = marks.isSecret || isSecretValue(options, key, left[key], right[key]);
    const inner = {
      isSecret,
      isKept: isSecret || marks.isKept || (options !== undefined && isKeptOnRollback(options, key)),
      needsRestart: marks.needsRestart || (options !== undefined && needsRestart(options, key)),
    };
    collect(left[key], right[key], joinPath(path, key), inner, found);
  }
}

// A flag that is only named like a secret is none, such as whether CORS allows credentials.
function isSecretValue(options: OptionsClass | undefined, key: string, before: unknown, after: unknown): boolean {
  if (!isSecretProperty(options, key)) return false;
  const isFlag = [before, after].every((value) => value === undefined || typeof value === 'boolean');
  return !isFlag || (options !== undefined && isSecretOption(options, key));
}

// An empty mapping or list that comes or goes has no values in it that could tell.
function noteEmptiness(before: unknown, after: unknown, path: string, marks: Marks, found: Difference[]): void {
  const present = before ?? after;
  const isOneMissing = (before === undefined || after === undefined) && typeof present === 'object';
  if (isOneMissing && Object.values(present as object).every((value) => value === undefined)) {
    found.push({ path, before, after, ...marks });
  }
}

// Both of the kind, or one of it where the other is absent: then each value of it came or went.
function canDescend(before: unknown, after: unknown, isKind: (value: unknown) => boolean): boolean {
  if (before === undefined) return isKind(after);
  return isKind(before) && (after === undefined || isKind(after));
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isPlain(value: unknown): value is Record<string, unknown> {
  // What has contents of another kind (Date, Map, URL) is a value as a whole.
  return isTree(value) && Object.prototype.toString.call(value) === '[object Object]';
}

function classOf(value: unknown): OptionsClass | undefined {
  const constructor: unknown = isPlain(value) ? value.constructor : undefined;
  return typeof constructor === 'function' && constructor !== Object ? (constructor as OptionsClass) : undefined;
}

function masked(value: unknown, isSecret: boolean): string {
  return isSecret && value !== undefined ? '***' : shown(value);
}

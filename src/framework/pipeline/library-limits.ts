import { TooManyElementsError } from './pipeline.errors.js';

/**
 * What class-transformer and class-validator are given to work on. They take some 15 µs for each value, and for an object
 * a time that grows with the square of the number of its members; the compiled functions take less than 1 µs.
 */
export const libraryLimits = {
  /** List items and object members of all of a value. */
  maxElements: 10_000,
  /** Members of one object. */
  maxMembers: 1000,
} as const;

/** @throws TooManyElementsError */
export function checkForLibrary(value: unknown): void {
  count(value, 0);
}

function count(value: unknown, before: number): number {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return before;
  const parts: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  if (!Array.isArray(value) && parts.length > libraryLimits.maxMembers)
    throw new TooManyElementsError(libraryLimits.maxMembers);
  let elements = before + parts.length;
  if (elements > libraryLimits.maxElements) throw new TooManyElementsError(libraryLimits.maxElements);
  for (const part of parts) elements = count(part, elements);
  return elements;
}

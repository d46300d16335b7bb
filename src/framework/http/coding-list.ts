import { listOf, weightedListOf } from '../core/index.js';

// Clients send few different values; others are parsed for each request.
const rememberedValues = 64;
const wellFormed = new Set<string>();

/** Whether `value` is what `accept-encoding` can be: codings with or without a weight, RFC 9110 section 12.5.3. */
export function isCodingList(value: string): boolean {
  if (wellFormed.has(value)) return true;
  const isWellFormed = weightedListOf(value).length === listOf(value).length;
  if (isWellFormed && wellFormed.size < rememberedValues && value.length <= rememberedValues) wellFormed.add(value);
  return isWellFormed;
}

/** A message without protobuf-es' own properties (`$typeName`, `$unknown`): what a DTO is made from. */
export type PlainMessage = Record<string, unknown>;

/** Takes a decoded message down to plain properties, nested messages too. */
export function plainMessage(message: object): PlainMessage {
  const plain: PlainMessage = {};
  for (const [key, value] of Object.entries(message)) {
    if (key !== '$typeName' && key !== '$unknown') plain[key] = plainValue(value);
  }
  return plain;
}

/** Takes one value of a message down to plain properties. */
export function plainValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Array.isArray(value) ? value.map(plainValue) : plainMessage(value);
}

/** Whether `value` is what JSON calls an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

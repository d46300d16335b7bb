// Longer chains and stacks tell nothing new, and a line must have a bound.
const maxCauses = 10;
const maxInner = 10;
const maxStackChars = 8192;
const maxMessageChars = 2048;

/**
 * Makes a plain object of whatever was thrown: type, message, stack, its own scalar fields (`code`, `reason` and the
 * like), and its causes and inner errors the same way.
 */
export function serializeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error, message: cut(describe(error), maxMessageChars) };
  const fields: Record<string, unknown> = {
    type: error.name === 'Error' ? error.constructor.name : error.name,
    message: cut(error.message, maxMessageChars),
    stack: cut(error.stack ?? '', maxStackChars),
  };
  for (const [key, value] of Object.entries(error)) {
    if (key in fields || key === 'cause' || key === 'errors') continue;
    if (typeof value === 'string') fields[key] = cut(value, maxMessageChars);
    else if (typeof value === 'number' || typeof value === 'boolean') fields[key] = value;
  }
  if (depth >= maxCauses) return fields;
  if (error.cause !== undefined) fields['cause'] = serializeError(error.cause, depth + 1);
  if (error instanceof AggregateError) {
    // A tree of aggregates grows with its depth; inner errors count as several causes to hold it.
    fields['errors'] = error.errors.slice(0, maxInner).map((inner) => serializeError(inner, depth + 4));
  }
  return fields;
}

function describe(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  return `a thrown object with the keys ${Object.keys(thrown).slice(0, 20).join(', ')}`;
}

function cut(text: string, maxChars: number): string {
  return text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
}

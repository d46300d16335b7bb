/** Numbers from 0 to 1, the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;

function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

const filled = (bytes: number, each: (index: number) => string): string => {
  const parts: string[] = [];
  let length = 0;
  for (let index = 0; length < bytes; index += 1) {
    const part = each(index);
    parts.push(part);
    length += part.length + 1;
  }
  return parts.join();
};

type Shape = (bytes: number) => string;

const list =
  (each: (index: number) => string): Shape =>
  (bytes) =>
    `[${filled(bytes, each)}]`;

const object =
  (each: (index: number) => string): Shape =>
  (bytes) =>
    `{${filled(bytes, each)}}`;

const shapes: readonly Shape[] = [
  list(() => '0'),
  list(() => '{}'),
  list(() => '[]'),
  list(() => '""'),
  list(() => '[[0]]'),
  list(() => '{"a":0}'),
  list(() => '{"field":"","description":"d","reason":""}'),
  list(() => '{"field":1}'),
  list(() => '1e300'),
  list(() => '"\\u0061"'),
  list(() => '"\\u005f_proto__"'),
  list((i) => `{"k${i}":0}`),
  list((i) => `{"${i * 1000}":0}`),
  list((i) => `"${i}"`),
  object((i) => `"k${i}":0`),
  object((i) => `"k${i}":"v${i}"`),
  object((i) => `"${i}":1`),
  object((i) => `"${i * 1000}":1`),
  object(() => '"same":1'),
  object((i) => `"k${i}":{}`),
  (bytes) => '['.repeat(bytes),
  (bytes) => `${'{"a":'.repeat(Math.min(99, bytes / 6))}1${'}'.repeat(Math.min(99, bytes / 6))}`,
  (bytes) => `"${'a'.repeat(bytes)}"`,
  (bytes) => `"${'a.'.repeat(bytes / 2)}@x.de"`,
  (bytes) => `"${'\\n'.repeat(bytes / 2)}"`,
  (bytes) => '9'.repeat(bytes),
  (bytes) => `{"${'k'.repeat(bytes)}":1}`,
];

/** A JSON body that costs whoever reads it as much as may be; alone, or as the value of a field. */
export function hostileJson(random: Random): string {
  // Mostly small, as cost per byte is what counts; one in twenty up to 300 KB.
  const bytes = Math.ceil(10 ** (1 + random() * (random() < 0.05 ? 4.48 : 3)));
  const value = oneOf(random, shapes)(bytes);
  const field = oneOf(random, ['fieldViolations', 'any', 'text', 'unknown', '']);
  const whole = field === '' ? value : `{"${field}":${value}}`;
  return random() < 0.05 ? whole.slice(0, Math.floor(random() * whole.length)) : whole;
}

const units: readonly string[] = [
  ...['a', '1', '0', '-', '_', '.', ',', ';', '=', ' ', '\t', '"', '\\', '/', '%', '*', '&', '?', '#', '[', '+'],
  ...[
    'a-',
    '-eyJ',
    'eyJaaaaa.',
    '://',
    '://a:',
    'token=',
    'bearer ',
    '%20',
    '%E2',
    'a=1&',
    'a[b]=1&',
    '&',
    '/a',
    '/..',
  ],
  ...[
    'gzip;q=.',
    'gzip;q=0,',
    ';q=1',
    '*;q=',
    ', ',
    'W/"a",',
    '"',
    'bytes=0-0,',
    '0-',
    'application/problem+json;q=0 ',
  ],
  ...[
    '00-',
    'a=b,',
    'a=b; ',
    '1.2.3.4,',
    'for="[::1]",',
    'Mon, ',
    'X-A: b\r\n',
    '\r\n',
    'AAAA',
    '_-',
    'chunked,',
    '1\r\nx\r\n',
  ],
];

/** A text of a header that costs whoever reads it as much as may be. */
export function hostileText(random: Random): string {
  const bytes = Math.ceil(10 ** (1 + random() * 3.2));
  const unit = Array.from({ length: 1 + Math.floor(random() * 2) }, () => oneOf(random, units)).join('');
  const text = unit.repeat(Math.ceil(bytes / unit.length));
  return oneOf(random, units) + text + oneOf(random, units);
}

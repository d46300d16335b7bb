import type { Schema } from './schema.js';

// Which keywords mean something for which type; those left out mean something for every type.
const ownKeywords: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    minLength: ['string'],
    maxLength: ['string'],
    pattern: ['string'],
    format: ['string', 'number', 'integer'],
    minimum: ['number', 'integer'],
    maximum: ['number', 'integer'],
    exclusiveMinimum: ['number', 'integer'],
    exclusiveMaximum: ['number', 'integer'],
    multipleOf: ['number', 'integer'],
    minItems: ['array'],
    maxItems: ['array'],
    uniqueItems: ['array'],
    minProperties: ['object'],
  }).map(([keyword, types]) => [keyword, new Set(types)]),
);

/** Adds what one rule says to what is known of a value. The known type stays; what cannot apply to it is left out. */
export function refineSchema(known: Schema, rule: Schema): Schema {
  // Beside a reference nothing counts; what stands behind it has rules of its own.
  if (known.$ref !== undefined) return known;
  const type = known.type === 'number' && rule.type === 'integer' ? 'integer' : (known.type ?? rule.type);
  const refined: Schema = { ...known, ...(type !== undefined && { type }) };
  // `double` says nothing any more once only whole numbers are left.
  if (type === 'integer' && known.type === 'number') delete refined.format;
  for (const [keyword, value] of Object.entries(rule)) {
    if (keyword === 'type' || !applies(keyword, type)) continue;
    add(refined, keyword as keyof Schema, value);
  }
  return refined;
}

function applies(keyword: string, type: string | undefined): boolean {
  return type === undefined || ownKeywords.get(keyword)?.has(type) !== false;
}

function add(schema: Schema, keyword: keyof Schema, value: unknown): void {
  if (keyword === 'x-rules') {
    schema['x-rules'] = [...(schema['x-rules'] ?? []), ...(value as string[])];
  } else if ((keyword === 'pattern' || keyword === 'not') && schema[keyword] !== undefined) {
    // A schema has room for one of them; more stand beside each other.
    schema.allOf = [...(schema.allOf ?? []), { [keyword]: value }];
  } else {
    Object.assign(schema, { [keyword]: tighter(keyword, schema[keyword], value) });
  }
}

function tighter(keyword: string, known: unknown, value: unknown): unknown {
  if (typeof known !== 'number' || typeof value !== 'number') return value;
  if (keyword.startsWith('min')) return Math.max(known, value);
  return keyword.startsWith('max') ? Math.min(known, value) : value;
}

/** Joins what an author wrote by hand (`@ApiProperty`: description, example …) with what the rules enforce; the rules win. */
export function withAuthored(enforced: Schema, authored: Schema | undefined): Schema {
  if (authored === undefined || enforced.$ref !== undefined) return enforced;
  if (Object.keys(enforced).length === 0) return authored;
  const words = { ...authored, ...enforced };
  // What the rules know of the structure is whole; the author's would stand beside it.
  for (const keyword of ['$ref', 'allOf', 'required'] as const)
    if (enforced[keyword] === undefined) delete words[keyword];
  return words;
}

import type { Schema } from './schema.js';

const prefix = '#/components/schemas/';
const noVariant = {};

/** The shared schemas of one document: each is made once, under a name of its own, and referred to from then on. */
export class SchemaRegistry {
  readonly schemas: Record<string, Schema> = {};
  readonly #names = new Map<object, Map<object, string>>();

  /**
   * @param owner what the schema describes: a class, a message
   * @param variant tells apart several schemas of one owner
   * @param name wanted name; taken already, it gets a number
   * @param make may refer to the schema that it makes: the name is fixed before
   */
  ref(owner: object, variant: object | undefined, name: string, make: () => Schema): Schema {
    const names = this.#names.get(owner) ?? new Map<object, string>();
    this.#names.set(owner, names);
    let own = names.get(variant ?? noVariant);
    if (own === undefined) {
      own = this.#freeName(name);
      names.set(variant ?? noVariant, own);
      this.schemas[own] = {};
      this.schemas[own] = make();
    }
    return { $ref: `${prefix}${own}` };
  }

  /** The schema behind a reference; any other schema as it is. */
  resolve(schema: Schema): Schema {
    return schema.$ref === undefined ? schema : (this.schemas[schema.$ref.slice(prefix.length)] ?? {});
  }

  #freeName(wanted: string): string {
    // What OpenAPI allows in the name of a component.
    const name = wanted.replace(/[^A-Za-z0-9._-]/g, '_');
    let free = name;
    for (let number = 2; free in this.schemas; number += 1) free = `${name}_${number}`;
    return free;
  }
}

/** The name of the shared schema that `schema` refers to. */
export function refName(schema: Schema | undefined): string | undefined {
  return schema?.$ref?.startsWith(prefix) === true ? schema.$ref.slice(prefix.length) : undefined;
}

/** The names of all shared schemas that `root` refers to, through others too. */
export function reachableSchemas(root: unknown, schemas: Readonly<Record<string, Schema>>): ReadonlySet<string> {
  const reached = new Set<string>();
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    const name = refName('$ref' in value && typeof value.$ref === 'string' ? (value as Schema) : undefined);
    if (name !== undefined && !reached.has(name)) {
      reached.add(name);
      open.push(schemas[name]);
    }
    open.push(...(Object.values(value) as unknown[]));
  }
  return reached;
}

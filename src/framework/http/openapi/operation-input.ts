import type { DescMessage } from '@bufbuild/protobuf';
import type { DtoClass } from '../../pipeline/index.js';
import type { Route } from './error-answers.js';
import type { InputSchemas } from './input-schemas.js';
import type { RouteHandler } from './route-handlers.js';
import type { Operation, Parameter, Schema } from './schema.js';
import { refName, type SchemaRegistry } from './schema-registry.js';

/** What the input side of an operation is made with. */
export interface InputTools {
  readonly inputs: InputSchemas;
  readonly registry: SchemaRegistry;
}

const bodyMethods: ReadonlySet<string> = new Set(['post', 'put', 'patch']);

/** Completes parameters and body of an operation. What an author declared by hand stays. */
export function describeInput(operation: Operation, route: Route, handler: RouteHandler, tools: InputTools): void {
  const pathNames = [...route.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] as string);
  const own = operation.parameters ?? [];
  const described =
    handler.input === undefined
      ? fromNest(operation, handler, tools)
      : fromInput(
          operation,
          pathNames,
          { method: route.method, dto: handler.input, message: handler.rpc?.input },
          tools,
        );
  const plain = pathNames.map((name): Parameter => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  operation.parameters = merged([...own, ...described, ...plain], pathNames);
  if (operation.parameters.length === 0) delete operation.parameters;
}

interface InputSource {
  readonly method: string;
  readonly dto: DtoClass;
  readonly message: DescMessage | undefined;
}

// `@Input()`: path parameters by the route, the rest from the query or, where the method has one, from the body.
function fromInput(
  operation: Operation,
  pathNames: readonly string[],
  source: InputSource,
  tools: InputTools,
): Parameter[] {
  const { dto, message, method } = source;
  const whole = tools.inputs.object(dto, message);
  const rest = { ...whole.properties };
  const parameters = pathNames.map((name): Parameter => {
    const property = message?.fields.find((field) => field.name === name)?.jsonName ?? name;
    const schema = rest[property] ?? { type: 'string' };
    delete rest[property];
    return parameter(name, 'path', true, schema);
  });
  const required = (whole.required ?? []).filter((name) => name in rest);
  if (!bodyMethods.has(method)) {
    const flat = Object.entries(rest).filter(([, schema]) => isFlat(schema, tools.registry));
    return [...parameters, ...flat.map(([name, schema]) => parameter(name, 'query', required.includes(name), schema))];
  }
  if (operation.requestBody === undefined && Object.keys(rest).length > 0) {
    const isWhole = Object.keys(rest).length === Object.keys(whole.properties).length;
    operation.requestBody = body(
      isWhole ? tools.inputs.ref(dto, message) : without(whole, rest, required),
      required.length > 0,
    );
  }
  return parameters;
}

function without(whole: Schema, properties: Record<string, Schema>, required: readonly string[]): Schema {
  const part: Schema = { ...whole, properties, required };
  // OpenAPI 3.0 wants at least one name in the list.
  if (required.length === 0) delete part.required;
  return part;
}

function body(schema: Schema, isRequired: boolean): NonNullable<Operation['requestBody']> {
  return { required: isRequired, content: { 'application/json': { schema } } };
}

// Nest's own decorators with a class: `@Body() dto`, `@Query() dto`, `@Param() dto`.
function fromNest(operation: Operation, handler: RouteHandler, { inputs, registry }: InputTools): Parameter[] {
  const { body: bodyClass, query, params } = handler;
  if (bodyClass !== undefined && inputs.knows(bodyClass)) {
    const content = operation.requestBody?.content ?? {};
    const declared = Object.values(content)[0]?.schema;
    // Anything else than the class itself is the author's own word.
    if (declared === undefined) operation.requestBody = body(inputs.ref(bodyClass, undefined), true);
    else if (refName(declared) === bodyClass.name) {
      for (const media of Object.values(content)) media.schema = inputs.ref(bodyClass, undefined);
    }
  }
  const spread = (dto: DtoClass | undefined, place: string): Parameter[] => {
    if (dto === undefined || !inputs.knows(dto)) return [];
    const { properties, required } = inputs.object(dto, undefined);
    return Object.entries(properties)
      .filter(([, schema]) => isFlat(schema, registry))
      .map(([name, schema]) => parameter(name, place, place === 'path' || required?.includes(name) === true, schema));
  };
  return [...spread(params, 'path'), ...spread(query, 'query')];
}

function parameter(name: string, place: string, isRequired: boolean, schema: Schema): Parameter {
  const { description, ...rest } = schema;
  return { name, in: place, required: isRequired, ...(description !== undefined && { description }), schema: rest };
}

// Path and query have text only: objects cannot be written there.
function isFlat(schema: Schema, registry: SchemaRegistry): boolean {
  const { type, items } = registry.resolve(schema);
  if (type === 'object') return false;
  return type !== 'array' || items === undefined || registry.resolve(items).type !== 'object';
}

// One parameter per place and name, the first wins, enriched by what later ones know; none that the path has no room for.
function merged(parameters: readonly Parameter[], pathNames: readonly string[]): Parameter[] {
  const byName = new Map<string, Parameter>();
  for (const one of parameters) {
    if (one.in === 'path' && !pathNames.includes(one.name)) continue;
    const key = `${one.in} ${one.name}`;
    const known = byName.get(key);
    byName.set(key, known === undefined ? one : { ...one, ...known, schema: { ...known.schema, ...one.schema } });
  }
  return [...byName.values()];
}

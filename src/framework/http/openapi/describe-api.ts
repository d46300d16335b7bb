import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DtoClass } from '../../pipeline/index.js';
import { errorAnswers, errorSchemas } from './error-answers.js';
import { InputSchemas } from './input-schemas.js';
import { MessageSchemas } from './message-schemas.js';
import { describeAnswers } from './operation-answers.js';
import { describeInput } from './operation-input.js';
import { type RouteHandler, routeHandlers } from './route-handlers.js';
import type { ApiDocument, Operation } from './schema.js';
import { reachableSchemas, SchemaRegistry } from './schema-registry.js';

/** What the document says of the service as a whole. */
export interface ApiInfo {
  readonly title: string;
  readonly version: string;
  /** Where the service is reached; where it is not set, the host that serves the document. */
  readonly serverUrl?: string;
}

/** The part of `@nestjs/swagger` that is used; that package is optional, so no declaration may name it. */
export interface SwaggerPackage {
  readonly SwaggerModule: {
    createDocument(app: NestFastifyApplication, config: object, options: object): object;
  };
}

const scheme = 'bearer';
const markName = 'x-rookery-handler';
// Where swagger's decorators leave their word.
const extensionKey = 'swagger/apiExtension';
const operationKey = 'swagger/apiOperation';
const modelKey = 'swagger/apiModelPropertiesArray';

/**
 * Describes every REST route of the application: what swagger finds by its own decorators, completed by what this
 * framework's decorators, class-validator's rules and the protobuf descriptors tell.
 */
export function describeApi(app: NestFastifyApplication, swagger: SwaggerPackage, info: ApiInfo): ApiDocument {
  const handlers = routeHandlers(app);
  const authored = new Set(handlers.flatMap(({ input, query, params }) => [input, query, params].filter(isAuthored)));
  const document = scan(app, swagger, info, handlers, authored);
  const { schemas } = document.components;
  const isOurs = (dto: DtoClass): boolean => isAuthored(dto) && schemas[dto.name] !== undefined;
  const registry = new SchemaRegistry();
  const messages = new MessageSchemas(registry);
  const inputs = new InputSchemas(registry, messages, (dto) => (isOurs(dto) ? schemas[dto.name] : undefined));
  const names = new Set<string>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const handler = takeHandler(operation, handlers);
      if (handler === undefined) continue;
      const route = { path, method };
      describeInput(operation, route, handler, { inputs, registry });
      describeAnswers(operation, route, handler, messages);
      describeAccess(operation, handler);
      nameOperation(operation, handler, names);
    }
  }
  document.components = {
    ...document.components,
    schemas: { ...schemas, ...registry.schemas, ...errorSchemas() },
    responses: errorAnswers(),
  };
  dropUnused(document, authored);
  return document;
}

function isAuthored(dto: DtoClass | undefined): dto is DtoClass {
  return dto !== undefined && Reflect.hasMetadata(modelKey, dto.prototype as object);
}

// Swagger's operations do not say which method they come from, so every method is marked while it looks.
function scan(
  app: NestFastifyApplication,
  swagger: SwaggerPackage,
  info: ApiInfo,
  handlers: readonly RouteHandler[],
  extraModels: ReadonlySet<DtoClass>,
): ApiDocument {
  const methods = [...new Set(handlers.map((handler) => handler.method))];
  const before = methods.map((method) => Reflect.getOwnMetadata(extensionKey, method) as object | undefined);
  try {
    for (const [index, method] of methods.entries()) {
      const first = handlers.findIndex((handler) => handler.method === method);
      Reflect.defineMetadata(extensionKey, { ...before[index], [markName]: first }, method);
    }
    const config = {
      info: { title: info.title, version: info.version, description: '' },
      servers: [{ url: info.serverUrl ?? '/' }],
      security: [{ [scheme]: [] }],
      tags: [],
      components: { securitySchemes: { [scheme]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    };
    return swagger.SwaggerModule.createDocument(app, config, { extraModels: [...extraModels] }) as ApiDocument;
  } finally {
    for (const [index, method] of methods.entries()) {
      if (before[index] === undefined) Reflect.deleteMetadata(extensionKey, method);
      else Reflect.defineMetadata(extensionKey, before[index], method);
    }
  }
}

// A method that several controllers inherit has one mark: the name of the class, which begins the operation's id, decides.
function takeHandler(operation: Operation, handlers: readonly RouteHandler[]): RouteHandler | undefined {
  const mark = operation[markName];
  delete operation[markName];
  const marked = typeof mark === 'number' ? handlers[mark] : undefined;
  if (marked === undefined) return undefined;
  const shared = handlers.filter((handler) => handler.method === marked.method);
  return shared.find((handler) => operation.operationId?.startsWith(`${handler.controller.name}_`) === true) ?? marked;
}

function describeAccess(operation: Operation, { access }: RouteHandler): void {
  if (access.isPublic || access.isProbe) {
    operation.security ??= [];
    return;
  }
  const needs: string[] = [];
  if (access.scopes.length > 0) {
    operation['x-required-scopes'] = access.scopes;
    needs.push(`Needs the scope${access.scopes.length > 1 ? 's' : ''} ${listed(access.scopes)}.`);
  }
  if (access.roles.length > 0) {
    operation['x-required-roles'] = access.roles;
    needs.push(`Needs ${access.roles.length > 1 ? 'one of the roles' : 'the role'} ${listed(access.roles)}.`);
  }
  if (needs.length > 0) {
    operation.description = [operation.description, ...needs].filter(Boolean).join('\n\n');
  }
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

// `UserService_GetUser` for an RPC, else `Controller_method`; what the author chose stays. Each name once.
function nameOperation(operation: Operation, { rpc, method }: RouteHandler, taken: Set<string>): void {
  const authored = Reflect.getMetadata(operationKey, method) as { operationId?: string } | undefined;
  if (rpc !== undefined) {
    operation['x-grpc-method'] = `${rpc.parent.typeName}/${rpc.name}`;
    if (authored?.operationId === undefined) operation.operationId = `${rpc.parent.name}_${rpc.name}`;
    if (rpc.deprecated) operation.deprecated = true;
  }
  const wanted = (operation.operationId ?? 'operation').replaceAll(/[^A-Za-z0-9_.-]/g, '');
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}_${number}`;
  taken.add(name);
  operation.operationId = name;
}

// Classes that swagger was only asked about to learn their descriptions.
function dropUnused(document: ApiDocument, asked: ReadonlySet<DtoClass>): void {
  const { schemas, responses } = document.components;
  const used = reachableSchemas([document.paths, responses], schemas);
  for (const { name } of asked) if (!used.has(name)) delete schemas[name];
}

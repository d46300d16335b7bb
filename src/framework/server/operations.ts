import type { DescMethod } from '@bufbuild/protobuf';
import { RequestMethod } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { accessRuleOf, type ControllerClass } from '../auth/index.js';
import { metadataKeys } from '../core/index.js';

// Where Nest's route decorators leave path and method.
const pathKey = 'path';
const methodKey = 'method';
// Where Nest's `@GrpcMethod` and its kin leave what they serve.
const patternKey = 'microservices:pattern';

/** The routes and RPCs of the application that a token is needed for, such as `POST api/v1/users`. */
export function protectedOperations(modules: ModulesContainer): string[] {
  return [...modules.values()]
    .flatMap((module) => [...module.controllers.values()])
    .flatMap(({ metatype }) => (typeof metatype === 'function' ? handlersOf(metatype as ControllerClass) : []));
}

function handlersOf(controller: ControllerClass): string[] {
  return Object.values(Object.getOwnPropertyDescriptors(controller.prototype)).flatMap(({ value }) => {
    // The constructor bears the class's own path.
    if (typeof value !== 'function' || value === controller) return [];
    const name = operationName(controller, value as object);
    if (name === undefined) return [];
    const rule = accessRuleOf(controller, value as object);
    return rule.isPublic || rule.isProbe ? [] : [name];
  });
}

function operationName(controller: ControllerClass, handler: object): string | undefined {
  const path = Reflect.getMetadata(pathKey, handler) as string | string[] | undefined;
  if (path !== undefined) {
    const method = RequestMethod[Reflect.getMetadata(methodKey, handler) as number];
    return `${method} /${[Reflect.getMetadata(pathKey, controller), path].flat().join('/')}`
      .replace(/\/+/g, '/')
      .replace(/\/$/, '');
  }
  const rpc = Reflect.getMetadata(metadataKeys.rpc, handler) as DescMethod | undefined;
  if (rpc !== undefined) return `${rpc.parent.typeName}/${rpc.name}`;
  const [pattern] = (Reflect.getMetadata(patternKey, handler) ?? []) as { service?: string; rpc?: string }[];
  return pattern?.rpc === undefined ? undefined : `${pattern.service}/${pattern.rpc}`;
}

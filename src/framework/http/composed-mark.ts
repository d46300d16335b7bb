import { RouteConfig } from '@nestjs/platform-fastify';
import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js';

const composed = Symbol('rookery.composed');

/** Marks the route that `handler` will be registered for as served by a chain put together once. */
export function markComposed(handler: object): void {
  const config = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler) as object | undefined;
  RouteConfig({ ...config, [composed]: true })({}, 'handler', { value: handler });
}

/** Whether the route with this configuration is: nothing of its answer is then written past Fastify. */
export function isComposed(config: object): boolean {
  return (config as { [composed]?: true })[composed] === true;
}

import { RouteConfig } from '@nestjs/platform-fastify';
import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js';
import type { DirectSlot } from './direct/index.js';

const composed = Symbol('rookery.composed');

interface ComposedConfig {
  readonly [composed]?: DirectSlot;
}

/** Marks the route that `handler` will be registered for as served by a chain put together once. */
export function markComposed(handler: object, slot: DirectSlot): void {
  const config = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler) as object | undefined;
  RouteConfig({ ...config, [composed]: slot })({}, 'handler', { value: handler });
}

/** Whether the route with this configuration is: nothing of its answer is then written past Fastify. */
export function isComposed(config: object): boolean {
  return slotOf(config) !== undefined;
}

/** What was left with the mark. */
export function slotOf(config: object | undefined): DirectSlot | undefined {
  const marked: ComposedConfig | undefined = config;
  return marked?.[composed];
}

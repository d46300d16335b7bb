/** The way of a request past Fastify, where that comes to the same. */
export { DirectLane, type LaneOpening } from './direct-lane.js';
export { DirectSlot } from './direct-slot.js';
export { type HookCounts, rootHooks } from './fastify-parts.js';

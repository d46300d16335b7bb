// What a server holds after a load, and a minute later.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Generator } from './generators.mjs';
import { loadNamed, untilRight, warmUp } from './measure.mjs';
import { startServer } from './servers.mjs';

/**
 * @typedef {object} MemoryCase
 * @property {string} server
 * @property {string} load
 */

/**
 * @typedef {object} Footprint bytes of RSS
 * @property {number} atStart after the first answer
 * @property {number} afterLoad
 * @property {number} afterIdle
 */

/** @type {MemoryCase[]} */
export const memoryCases = [
  { server: 'rookery', load: 'grpc-unary' },
  { server: 'grpc-js', load: 'grpc-unary' },
  { server: 'nest-grpc', load: 'grpc-unary' },
  { server: 'go-grpc', load: 'grpc-unary' },
  { server: 'rookery', load: 'rest-post' },
  { server: 'nest-rest', load: 'rest-post' },
  { server: 'go-gin', load: 'rest-post' },
  { server: 'rookery', load: 'grpc-64k' },
  { server: 'grpc-js', load: 'grpc-64k' },
];

/**
 * Loads one server after the other, and lets them be idle together.
 *
 * @param {readonly MemoryCase[]} some
 * @param {import('./measure.mjs').Plan} plan
 * @param {number} idleSeconds
 * @returns {Promise<Footprint[]>} in their order
 */
export async function measureFootprints(some, plan, idleSeconds) {
  /** @type {import('./servers.mjs').Server[]} */
  const servers = [];
  try {
    const footprints = [];
    for (const { server: name, load: loadName } of some) {
      const load = loadNamed(loadName);
      const server = await startServer(name, { core: plan.serverCore });
      servers.push(server);
      const generator = new Generator(load, await load.request(), plan.loadCore);
      try {
        const size = await untilRight(server, load);
        const atStart = rssOf(server.pid);
        const requests = await warmUp(generator, server, load, size, plan);
        await generator.fire(server.port, { requests, seconds: plan.seconds }, size);
        footprints.push({ atStart, afterLoad: rssOf(server.pid), afterIdle: 0 });
      } finally {
        generator.close();
      }
    }
    await sleep(idleSeconds * 1000);
    return footprints.map((one, index) => ({ ...one, afterIdle: rssOf(servers[index]?.pid ?? 0) }));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** @param {number} pid */
export function rssOf(pid) {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

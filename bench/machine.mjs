// What the figures were taken with.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../scripts/tools.mjs';
import { generators } from './generators.mjs';

/**
 * @param {string} file
 * @param {string[]} args
 * @returns {string} what it prints; empty when it cannot be started
 */
function ask(file, args) {
  const { stdout, stderr } = spawnSync(file, args, { cwd: ROOT, encoding: 'utf8' });
  return `${stdout ?? ''}${stderr ?? ''}`.trim();
}

/** @throws Error names each program that is missing and the Debian package that has it */
export function assertTools() {
  if (process.platform !== 'linux') throw new Error(`system: ${process.platform} (expected: linux, for its schedstat)`);
  const wanted = [
    ...Object.values(generators),
    { program: 'taskset', package: 'util-linux' },
    { program: 'go', package: 'golang, 1.26 or newer' },
  ];
  const missing = wanted.filter(({ program }) => spawnSync('which', [program]).status !== 0);
  if (missing.length > 0)
    throw new Error(`not found: ${missing.map((one) => `${one.program} (package ${one.package})`).join(', ')}`);
  if (cpus().length < 2) throw new Error('cores: 1 (expected: 2, one for the server and one for the load)');
}

/** @param {string} name */
function versionOf(name) {
  return JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version;
}

/** @returns {[string, string][]} name and value, for people */
export function describeMachine() {
  const goModules = readFileSync(join(ROOT, 'bench/peers/go-gin/go.mod'), 'utf8');
  const goVersion = (/** @type {string} */ name) => new RegExp(`${name} v(\\S+)`).exec(goModules)?.[1] ?? '?';
  const measured = ['src', 'proto', 'package-lock.json', 'bench', ':!bench/RESULTS.md', ':!bench/results'];
  const isChanged = ask('git', ['status', '--porcelain', '--', ...measured]) !== '';
  return [
    ['commit', `${ask('git', ['rev-parse', '--short', 'HEAD'])}${isChanged ? ' with changes on top' : ''}`],
    ['processor', `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`],
    ['memory', `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ['system', `${type()} ${release()}`],
    ['Node.js', process.versions.node],
    ['Go', /go([\d.]+)/.exec(ask('go', ['version']))?.[1] ?? 'unknown'],
    ['in Go', `gin ${goVersion('gin')}, grpc-go ${goVersion('google.golang.org/grpc')}, cmux ${goVersion('cmux')}`],
    [
      'in Node',
      ['@nestjs/core', '@nestjs/microservices', 'fastify', '@grpc/grpc-js', 'class-validator']
        .map((name) => `${name} ${versionOf(name)}`)
        .join(', '),
    ],
    [
      'generators',
      `wrk ${/wrk (?:debian\/)?(\S+)/.exec(ask('wrk', ['-v']))?.[1] ?? '?'}, ${ask('h2load', ['--version'])}`,
    ],
    ['load average at the start', loadavg()[0]?.toFixed(2) ?? '?'],
  ];
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { environmentFor, isNewEnough } from './toolchain.mjs';

describe('isNewEnough', () => {
  it.each(['24.15.0', '24.21.0', '25.0.0', '30.1.2'])('takes %s', (version) => {
    expect(isNewEnough(version)).toBe(true);
  });

  it.each(['20.20.2', '22.99.0', '24.14.9', '24.2.0'])('refuses %s', (version) => {
    expect(isNewEnough(version)).toBe(false);
  });
});

describe('environmentFor', () => {
  it('puts the folder of the Node first on PATH', () => {
    expect(environmentFor('/cache/bin/node')['PATH']).toMatch(/^\/cache\/bin:/);
  });
});

// Says each signal that comes, and ends as it is told to on its standard input.
const child = `
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) process.on(signal, () => console.log(signal));
  process.stdin.once('data', (how) => (String(how) === 'exit' ? process.exit(7) : process.kill(process.pid, 'SIGKILL')));
  console.log('ready');
`;

/** Starts a process that has another one do its work, as on a system or a Node that cannot replace a process. */
function startWithoutExecve() {
  const toolchain = new URL('toolchain.mjs', import.meta.url).href;
  const parent = `
    import { become } from ${JSON.stringify(toolchain)};
    Object.defineProperty(process, 'execve', { value: undefined });
    become(process.execPath, ['-e', ${JSON.stringify(child)}], process.env, process.cwd());
  `;
  const program = spawn(process.execPath, ['--input-type=module', '-e', parent], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  return { program, line: async () => (await lines.next()).value, ended: once(program, 'exit') };
}

describe.skipIf(process.platform === 'win32')('become, where a process cannot be replaced', () => {
  it('passes every signal on to the child, and ends with its exit code', async () => {
    const { program, line, ended } = startWithoutExecve();
    /** @type {NodeJS.Signals[]} */
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
    const said = [await line()];

    for (const signal of signals) {
      program.kill(signal);
      said.push(await line());
    }
    program.stdin.end('exit');

    expect(said).toEqual(['ready', ...signals]);
    expect(await ended).toEqual([7, null]);
  });

  it('ends by the signal that ended the child', async () => {
    const { program, line, ended } = startWithoutExecve();
    await line();

    program.stdin.end('kill');

    expect(await ended).toEqual([null, 'SIGKILL']);
  });
});

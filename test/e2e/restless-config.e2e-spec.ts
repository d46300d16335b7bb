import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

let folder: TemporaryFolder;
let child: ChildService | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder.path, 'config'));
});

afterEach(async () => {
  await child?.dispose();
  await folder.remove();
});

const file = (): string => join(folder.path, 'config/application.yaml');
const settings = (text: string): string =>
  `files: { directory: ${folder.path}/files }\nconfig: { maxSettleMs: 500 }\ngreeting: { text: ${text} }\n`;

async function greeting(service: ChildService): Promise<string> {
  const { json } = await http(service.url, { path: '/api/v1/greeting' });
  return (json as { data: { text: string } }).data.text;
}

describe('a process whose configuration never rests', { timeout: 60_000 }, () => {
  it('reads it all the same, again and again, and refuses what is wrong', async () => {
    await writeFile(file(), settings('first'));
    const service = await ChildService.start({}, { cwd: folder.path });
    child = service;
    let edits = 0;
    let text = (): string => settings(`edit ${edits}`);
    const writing = setInterval(() => {
      edits += 1;
      writeFileSync(file(), text());
    }, 50);
    try {
      await eventually('an edit is applied', async () => (await greeting(service)).startsWith('edit'), 20_000);
      const before = await greeting(service);
      await eventually('a later one is, too', async () => (await greeting(service)) !== before, 20_000);
      text = () => `${settings(`edit ${edits}`)}paging: { maxPageSize: -1 }\n`;
      await eventually('a wrong one is told', () =>
        service.lines.some(({ msg }) => String(msg).includes('maxPageSize')),
      );
      const kept = await greeting(service);
      expect(kept).toMatch(/^edit /);
    } finally {
      clearInterval(writing);
    }
  });
});

describe('a process whose configuration is no file', () => {
  it.each([
    ['a FIFO', () => execFileSync('mkfifo', [file()])],
    ['a device', () => symlink('/dev/zero', file())],
    ['a folder', () => mkdir(file())],
  ])('does not start with %s, and says so in a line', async (what, make) => {
    await make();
    const service = new ChildService({}, { cwd: folder.path });
    child = service;

    expect(await service.exit).toMatchObject({ code: 1 });
    expect(service.stderr).toBe(`cannot start: config/application.yaml: is ${what} (expected: a regular file)\n`);
  });
});

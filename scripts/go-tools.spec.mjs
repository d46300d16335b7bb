import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { goTool } from './go-tools.mjs';

const cache = mkdtempSync(join(tmpdir(), 'rookery-go-tools-'));

afterEach(() => {
  rmSync(cache, { recursive: true, force: true });
});

it('says what is missing where there is no Go, and leaves nothing behind', async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.stubEnv('ROOKERY_CACHE', cache);
  vi.stubEnv('PATH', cache);

  const tool = { name: 'tool', source: 'example.com/tool', version: 'v1.0.0', neededFor: 'the suite of tools' };

  await expect(goTool(tool)).rejects.toThrow(
    'go is not installed, and the suite of tools needs it (expected: Go 1.24 or newer on PATH)',
  );
  expect(readdirSync(join(cache, 'rookery'))).toEqual([]);
});

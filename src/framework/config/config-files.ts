import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readRegularFile, RegularFileError } from '../core/index.js';
import { ConfigError, type ConfigProblem } from './config.errors.js';
import type { ConfigLayer } from './layer.js';
import { yamlLayer, yamlLimits } from './yaml-layer.js';

/** `application.yaml` and `application-<env>.yaml` of a folder, either of which may be missing. */
export class ConfigFiles {
  readonly #directory: string;
  /** Paths of the files, in the order of the layers. */
  readonly paths: readonly string[];
  /** Names of the layers, the weakest first. */
  readonly #names: readonly string[];

  constructor(directory: string, env: string) {
    this.#directory = directory;
    this.#names = ['application', `application-${env}`];
    this.paths = this.#names.map((name) => join(directory, `${name}.yaml`));
  }

  /**
   * Reads both files as they are now. A missing one is an empty layer, which keeps its place for when it comes.
   *
   * @throws ConfigError with the problems of both
   */
  async read(): Promise<readonly ConfigLayer[]> {
    const results = await Promise.allSettled(this.#names.map((name) => this.#layer(name)));
    const problems = results.flatMap((result) => (result.status === 'rejected' ? problemsIn(result.reason) : []));
    if (problems.length > 0) throw new ConfigError(problems);
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  /** The texts as they are now, for comparison; `undefined` for what is missing or cannot be read. */
  texts(): Promise<readonly (string | undefined)[]> {
    return Promise.all(
      this.paths.map((path) =>
        readRegularFile(path, yamlLimits.maxBytes).then(
          (content) => content.toString('latin1'),
          // What is wrong with a file is a state too: it changes, and is told when it is read.
          (error: unknown) => (error instanceof RegularFileError ? `\0${error.message}` : undefined),
        ),
      ),
    );
  }

  async #layer(name: string): Promise<ConfigLayer> {
    const origin = join(this.#directory, `${name}.yaml`);
    const text = await readIfPresent(origin);
    if (text !== undefined) return yamlLayer(text, { name, kind: 'file', origin });
    const misnamed = join(this.#directory, `${name}.yml`);
    if ((await readIfPresent(misnamed)) !== undefined)
      throw ConfigError.of(misnamed, `is not read (expected name: ${name}.yaml)`);
    return { name, kind: 'file', tree: {}, sources: new Map() };
  }
}

/** The problems of a ConfigError; what is no ConfigError is thrown again. */
export function problemsIn(reason: unknown): readonly ConfigProblem[] {
  if (reason instanceof ConfigError) return reason.problems;
  throw reason;
}

// Time for a write to the file to follow its truncation, in ms.
const writeMs = 20;

/** An editor that writes a file in place truncates it first: an empty file is read once more. */
async function readWritten(path: string): Promise<Buffer> {
  const content = await readRegularFile(path, yamlLimits.maxBytes);
  if (content.length > 0) return content;
  await delay(writeMs);
  return readRegularFile(path, yamlLimits.maxBytes);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readWritten(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (error instanceof RegularFileError) throw ConfigError.of(path, message);
    throw ConfigError.of(path, code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'not UTF-8' : `cannot be read (${code})`);
  }
}

import {
  ConfigError,
  type ConfigStore,
  documentLayer,
  type Environment,
  formatOf,
  loadConfig,
  NacosConfig,
} from '../config/index.js';
import { readRegularFile, RegularFileError } from '../core/index.js';

/** What to publish, and where the settings of the centre are. */
export interface PublishCommand {
  readonly dataId: string;
  /** Path of the document. */
  readonly file: string;
  readonly group: string | undefined;
  readonly directory: string | undefined;
  readonly set: readonly string[];
}

// What the centre has at present may be just what is to be put right: neither it nor a snapshot matters here.
const withoutContent = ['--set', 'nacos.required=false', '--set', 'nacos.snapshot.enabled=false'];

/**
 * Writes a file into the centre that `nacos.address` names, if it can be read as what the data id says it is.
 *
 * @returns one line that says what was done
 * @throws ConfigError the file cannot be read or parsed, or no centre is configured
 * @throws NacosError it cannot be reached or refuses
 */
export async function publishDocument(command: PublishCommand, environment: Environment): Promise<string> {
  const { dataId, file, group, directory, set } = command;
  const content = await readDocument(file);
  documentLayer(content, formatOf(dataId), { name: dataId, kind: 'file', origin: file });
  let store: ConfigStore | undefined;
  try {
    store = await loadConfig({
      environment,
      argv: [...set.flatMap((each) => ['--set', each]), ...withoutContent],
      ...(directory !== undefined && { directory }),
    });
    const md5 = await new NacosConfig(store).publish(dataId, content, group === undefined ? {} : { group });
    return `published ${dataId}: ${Buffer.byteLength(content)} bytes, md5 ${md5}`;
  } finally {
    await store?.close();
  }
}

// What Nacos takes.
const maxDocumentBytes = 1_048_576;

async function readDocument(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readRegularFile(file, maxDocumentBytes));
  } catch (error) {
    if (error instanceof RegularFileError) throw ConfigError.of(file, error.message);
    throw ConfigError.of(file, `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
}

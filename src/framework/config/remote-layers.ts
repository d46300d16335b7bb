import type { RemoteContent } from './config.driver.js';
import { ConfigError, type ConfigProblem } from './config.errors.js';
import { problemsIn } from './config-files.js';
import { nameOfContent } from './data-id.js';
import { plainText } from './decryption.js';
import type { ConfigLayer } from './layer.js';
import { documentLayer, formatOf } from './text-formats.js';

// What says how the centre is reached is read before it.
const ownSection = 'nacos';

/**
 * Reads the documents of a centre into layers, one each, the weakest first.
 *
 * @param before the layers of the last good contents. What was there and is not any more, or is empty, is taken for an
 *   accident (a server that was restarted without its data, a slip of the hand) and no decision: that would be `{}`
 * @throws ConfigError names data id, line and path of everything that is wrong, and no value
 */
export function remoteLayers(
  driver: string,
  contents: readonly RemoteContent[],
  before: readonly ConfigLayer[] = [],
): readonly ConfigLayer[] {
  const problems: ConfigProblem[] = [];
  const layers: ConfigLayer[] = [];
  for (const content of contents) {
    try {
      layers.push(layerOf(driver, content, before));
    } catch (error) {
      problems.push(...problemsIn(error));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return layers;
}

function layerOf(driver: string, remote: RemoteContent, before: readonly ConfigLayer[]): ConfigLayer {
  const name = nameOfContent(driver, remote);
  const text = plainText(name, remote) ?? '';
  if (text.trim() === '') {
    const last = before.find((layer) => layer.name === name);
    if (last !== undefined && Object.keys(last.tree).length > 0) {
      const what = remote.content === undefined ? 'is gone' : 'is empty';
      throw ConfigError.of(name, `${what} (expected: its content again, or {} if nothing is to be in it)`);
    }
    return { name, kind: 'remote', tree: {}, sources: new Map() };
  }
  const layer = documentLayer(text, formatOf(name, remote.type), { name, kind: 'remote', origin: name });
  if (Object.hasOwn(layer.tree, ownSection)) {
    const place = [...layer.sources].find(([path]) => path.split('.')[0] === ownSection)?.[1] ?? name;
    throw ConfigError.of(place, `${ownSection}: not in a data id (expected: in files, environment or --set)`);
  }
  return layer;
}

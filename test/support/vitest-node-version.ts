import { isNewEnough, MINIMUM_NODE } from '../../scripts/toolchain.mjs';

/** Whoever starts vitest by hand may do so on an old Node, where the failures would not say what is wrong. */
export default function assertNodeVersion(): void {
  if (isNewEnough(process.versions.node)) return;
  throw new Error(`tests need Node ${MINIMUM_NODE} or newer and run on ${process.versions.node}: use \`npm test\``);
}

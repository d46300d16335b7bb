import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const sources = fileURLToPath(new URL('.', import.meta.url));
// Within the package, so that `rookery/…` means the package as built.
const output = fileURLToPath(new URL('../../.cache/trial', import.meta.url));

/**
 * Compiles files of this folder for a process without a test runner around the code.
 *
 * @param names without extension, the program itself first
 * @returns path of the program
 */
export async function compiledProgram(names: readonly [string, ...string[]]): Promise<string> {
  await mkdir(output, { recursive: true });
  const compilerOptions: ts.CompilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2024,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    verbatimModuleSyntax: true,
  };
  await Promise.all(
    names.map(async (name) => {
      const source = await readFile(join(sources, `${name}.ts`), 'utf8');
      const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: `${name}.ts` });
      await writeFile(join(output, `${name}.js`), outputText);
    }),
  );
  return join(output, `${names[0]}.js`);
}

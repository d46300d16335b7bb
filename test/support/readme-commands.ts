import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A command of the readme, and what it says that the command writes. */
export interface ReadmeCommand {
  readonly command: string;
  /** Lines of comment below it; `…` stands for anything. */
  readonly output: string | undefined;
}

/** The commands in the shell blocks of one section of the readme, block by block. */
export function readmeCommands(title: string): readonly (readonly ReadmeCommand[])[] {
  const text = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (section === undefined) throw new Error(`README.md has no section ${JSON.stringify(title)}`);
  return [...section.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block = '']) => commandsOf(block));
}

/** Whether `text` is what the readme says, where `…` stands for anything. JSON may be spread over lines. */
export function isSaid(said: string, text: string): boolean {
  const pattern = said
    .split('…')
    .map((part) => part.replace(/\s+/g, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${pattern}$`, 's').test(text.replace(/\s+/g, ''));
}

function commandsOf(block: string): ReadmeCommand[] {
  const commands: { command: string; output: string | undefined }[] = [];
  for (const line of block.split('\n').filter((each) => each.trim() !== '')) {
    const last = commands.at(-1);
    if (!line.startsWith('#')) commands.push({ command: line, output: undefined });
    else if (last !== undefined) last.output = `${last.output ?? ''}${line.slice(1).trim()}`;
  }
  return commands;
}

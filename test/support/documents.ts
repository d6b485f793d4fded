import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');
const { filesBelow, isGenerated } = (await import(
  pathToFileURL(path.join(REPOSITORY, 'scripts/files.mjs')).href
)) as {
  filesBelow: (folder: string, isSkipped: (name: string) => boolean) => string[];
  isGenerated: (name: string) => boolean;
};

/** Shell commands that a document shows as one block. */
export interface ShellBlock {
  /** Path of the document, relative to the repository. */
  readonly document: string;
  /** Line of its first command, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Lists the shell blocks of every document, in their order. */
export async function shellBlocks(): Promise<ShellBlock[]> {
  const names = filesBelow(REPOSITORY, isGenerated).filter((name) => name.endsWith('.md'));
  const documents = await Promise.all(
    names.map(async (name) => [name, await readFile(path.join(REPOSITORY, name), 'utf8')] as const),
  );
  return documents.flatMap(([document, text]) =>
    [...text.matchAll(/^( *)```(?:sh|bash|console)\n([\s\S]*?)^ *```$/gm)].map((found) => ({
      document,
      line: text.slice(0, found.index).split('\n').length + 1,
      text: found[2]!.replace(new RegExp(`^${found[1]}`, 'gm'), ''),
    })),
  );
}

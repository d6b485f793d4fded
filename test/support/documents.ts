import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');

/** Shell commands that a document shows as one block. */
export interface ShellBlock {
  /** Path of the document, relative to the repository. */
  readonly document: string;
  /** Line of its first command, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Lists the shell blocks of every document for people, in their order. */
export async function shellBlocks(): Promise<ShellBlock[]> {
  const names = [
    ...['README.md', 'CONTRIBUTING.md', 'src/README.md', 'test/bench/README.md', 'test/faults/README.md'],
    ...(await readdir(path.join(REPOSITORY, 'docs'), { recursive: true }))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`)
      .sort(),
  ];
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

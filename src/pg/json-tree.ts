import { OPEN_OBJECT, scanJson, type JsonTokens } from './json-scan.js';

/** A value of JSON. Scalars are kept as text, so numbers keep every digit. */
export type JsonNode =
  | { readonly is: 'scalar'; readonly text: string }
  | { readonly is: 'list'; readonly items: JsonNode[] }
  /** If an object has a name twice, the last one counts, as for PostgreSQL. */
  | { readonly is: 'object'; readonly members: Map<string, JsonNode> };

/** Reads JSON. Null: the text is not JSON, or deeper than `maxDepth`. */
export function readJson(text: string, maxDepth: number): JsonNode | null {
  const bytes = Buffer.from(text);
  const builder = new Builder(bytes);
  return scanJson(bytes, { tokens: builder, maxDepth }) === null ? builder.root : null;
}

/** Prints a node without white space between its tokens. */
export function printJson(node: JsonNode): string {
  switch (node.is) {
    case 'scalar':
      return node.text;
    case 'list':
      return `[${node.items.map(printJson).join(',')}]`;
    case 'object':
      return `{${Array.from(node.members, ([name, value]) => `${JSON.stringify(name)}:${printJson(value)}`).join(',')}}`;
  }
}

class Builder implements JsonTokens {
  readonly #bytes: Buffer;
  readonly #open: Exclude<JsonNode, { is: 'scalar' }>[] = [];
  #name = '';
  root: JsonNode | null = null;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  name(start: number, end: number): void {
    this.#name = JSON.parse(this.#bytes.toString('utf8', start, end)) as string;
  }

  scalar(start: number, end: number): void {
    this.#add({ is: 'scalar', text: this.#bytes.toString('utf8', start, end) });
  }

  open(at: number): void {
    const node: Exclude<JsonNode, { is: 'scalar' }> =
      this.#bytes[at] === OPEN_OBJECT ? { is: 'object', members: new Map() } : { is: 'list', items: [] };
    this.#add(node);
    this.#open.push(node);
  }

  close(): void {
    this.#open.pop();
  }

  #add(node: JsonNode): void {
    const inner = this.#open.at(-1);
    if (inner === undefined) this.root = node;
    else if (inner.is === 'list') inner.items.push(node);
    else inner.members.set(this.#name, node);
  }
}

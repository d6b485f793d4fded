import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  visit,
  type Alias,
  type Document,
  type Node,
  type Pair,
} from 'yaml';

/**
 * The most nodes of a file. Without aliases and merge keys, a file has at most one node for each character.
 * With them, nodes can multiply, and no file that a person wrote has more than this.
 */
const MAX_NODES = 1_000_000;

/** What is wrong at a node of the document. */
export interface NodeProblem {
  readonly node: Node;
  readonly message: string;
}

/** The nodes that the aliases of a document refer to. */
export type Aliases = ReadonlyMap<Alias, Node>;

/** Resolves every alias in one pass. The library would search the document for each of them. */
export function resolveAliases(document: Document): Aliases {
  const anchors = new Map<string, Node>();
  const aliases = new Map<Alias, Node>();
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) aliases.set(node, target);
      } else if (node.anchor !== undefined) {
        anchors.set(node.anchor, node);
      }
    },
  });
  return aliases;
}

/**
 * Reads plain data from a document in which keys are words and aliases have anchors. Before that, merge keys
 * (`<<`) are filled in within the document, so that each merged pair keeps its place in the file. Throws
 * {@link TooManyNodes}.
 */
export class YamlData {
  readonly #aliases: Aliases;
  readonly #merged = new Map<Node, 'running' | 'done'>();
  readonly #made = new Map<Node, { readonly data: unknown; readonly nodes: number }>();
  readonly #running = new Set<Node>();
  #mergedPairs = 0;
  readonly problems: NodeProblem[] = [];

  constructor(aliases: Aliases) {
    this.#aliases = aliases;
  }

  /** Returns the data; undefined if there are problems. */
  of(document: Document): unknown {
    visit(document, { Map: (_, map) => this.#merge(map) });
    if (this.problems.length > 0 || document.contents === null) return undefined;
    return this.#read(document.contents).data;
  }

  #merge(map: Node): void {
    if (!isMap(map) || this.#merged.has(map)) return;
    this.#merged.set(map, 'running');
    const isMergeKey = ({ key }: Pair): boolean =>
      isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
    const own = map.items.filter((pair) => !isMergeKey(pair));
    if (own.length < map.items.length) {
      const known = new Set(own.map(keyOf));
      const pairs = [...own];
      for (const { key, value } of map.items.filter(isMergeKey)) {
        for (const source of this.#sources((value ?? key) as Node)) {
          for (const pair of source) {
            if (known.has(keyOf(pair))) continue;
            known.add(keyOf(pair));
            pairs.push(pair);
            if (++this.#mergedPairs > MAX_NODES) throw new TooManyNodes();
          }
        }
      }
      map.items = pairs;
    }
    this.#merged.set(map, 'done');
  }

  /** Returns the pairs of each mapping that a merge key names. */
  #sources(value: Node): Pair[][] {
    const resolved = this.#resolve(value);
    const items = isSeq(resolved) ? (resolved.items as Node[]) : [value];
    return items.flatMap((item) => {
      const source = this.#resolve(item);
      if (!isMap(source)) {
        this.problems.push({
          node: isAlias(value) ? value : item,
          message: '<< needs an alias of a mapping, or a list of such aliases',
        });
        return [];
      }
      this.#merge(source);
      if (this.#merged.get(source) === 'done') return [source.items];
      this.problems.push({ node: item, message: CIRCLE });
      return [];
    });
  }

  #resolve(node: Node): Node | undefined {
    return isAlias(node) ? this.#aliases.get(node) : node;
  }

  #read(node: Node | null): { readonly data: unknown; readonly nodes: number } {
    if (node === null) return { data: null, nodes: 1 };
    if (isScalar(node)) return { data: node.value, nodes: 1 };
    const made = this.#made.get(node);
    if (made !== undefined) return made;
    if (this.#running.has(node)) throw new TooManyNodes();
    this.#running.add(node);
    const read = this.#readInside(node);
    if (read.nodes > MAX_NODES) throw new TooManyNodes();
    this.#running.delete(node);
    this.#made.set(node, read);
    return read;
  }

  #readInside(node: Node): { readonly data: unknown; readonly nodes: number } {
    if (isAlias(node)) return this.#read(this.#aliases.get(node) ?? null);
    let nodes = 1;
    const inside = (value: unknown): unknown => {
      const read = this.#read(value as Node | null);
      nodes += read.nodes;
      return read.data;
    };
    if (isSeq(node)) return { data: node.items.map(inside), nodes };
    const data: Record<string, unknown> = {};
    if (isMap(node))
      for (const pair of node.items) if (keyOf(pair) !== '__proto__') data[keyOf(pair)] = inside(pair.value);
    return { data, nodes };
  }
}

/** Thrown if aliases or merge keys multiply too much, or if an alias is inside the node that it refers to. */
export class TooManyNodes extends Error {}

const CIRCLE = 'this alias is inside the mapping that it refers to';

const keyOf = ({ key }: Pair): string => (isScalar(key) ? String(key.value) : '');

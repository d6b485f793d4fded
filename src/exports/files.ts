import { createHash, type Hash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { WaltrailError } from '../errors.js';
import type { ExportFormat } from '../api/requests.js';

/** Only the user Waltrail runs as may read a trail's values. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const OWN_NAME = /^([0-9a-f-]{36})\.(?:xlsx|csv|ndjson|[0-9a-f-]{36}\.part)$/;

/** Where bytes of an export go; resolves when the next bytes may come. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * The export directory: `<id>.<format>` for a finished file, `<id>.<claim>.part` for one in the making.
 * Throws EXPORT_DISK_FULL and EXPORT_STORAGE for what the disk refuses.
 */
export class ExportFiles {
  readonly #directory: string;

  constructor(options: { readonly directory: string }) {
    this.#directory = options.directory;
  }

  /** A new temporary file; whatever earlier runs of the export left is deleted. */
  async create(options: { id: string; claim: string; format: ExportFormat }): Promise<PartFile> {
    return onDisk(async () => {
      await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
      for (const name of await readdir(this.#directory)) {
        if (name.startsWith(`${options.id}.`) && name.endsWith('.part')) {
          await rm(path.join(this.#directory, name), { force: true });
        }
      }
      const part = path.join(this.#directory, `${options.id}.${options.claim}.part`);
      const handle = await open(part, 'wx', FILE_MODE);
      return new PartFile({ handle, part, target: this.#path(options.id, options.format) });
    });
  }

  /** Undefined when the file is not here, or is not the one whose size the row names. The caller closes it. */
  async read(options: { id: string; format: ExportFormat; bytes: number }): Promise<FileHandle | undefined> {
    const handle = await open(this.#path(options.id, options.format)).catch(() => undefined);
    if (handle === undefined) return undefined;
    if ((await handle.stat()).size !== options.bytes) {
      await handle.close();
      return undefined;
    }
    return handle;
  }

  async delete(id: string, format: ExportFormat): Promise<void> {
    await rm(this.#path(id, format), { force: true });
  }

  /** Ids of exports that have a file here last written more than `olderThanMs` ago. */
  async ids(olderThanMs: number): Promise<Set<string>> {
    const ids = new Set<string>();
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const id = OWN_NAME.exec(name)?.[1];
      if (id === undefined) continue;
      const info = await stat(path.join(this.#directory, name)).catch(() => undefined);
      if (info !== undefined && info.mtimeMs < Date.now() - olderThanMs) ids.add(id);
    }
    return ids;
  }

  /** Deletes every file of an export, finished or not. */
  async deleteAll(id: string): Promise<void> {
    for (const name of await readdir(this.#directory).catch(() => [])) {
      if (OWN_NAME.exec(name)?.[1] === id) await rm(path.join(this.#directory, name), { force: true });
    }
  }

  #path(id: string, format: ExportFormat): string {
    return path.join(this.#directory, `${id}.${format}`);
  }
}

/** A file in the making. Either {@link seal} and {@link publish}, or {@link discard}. */
export class PartFile implements Sink {
  readonly #handle: FileHandle;
  readonly #part: string;
  readonly #target: string;
  readonly #hash: Hash = createHash('sha256');
  #bytes = 0;

  constructor(options: { readonly handle: FileHandle; readonly part: string; readonly target: string }) {
    this.#handle = options.handle;
    this.#part = options.part;
    this.#target = options.target;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    let offset = 0;
    // write(2) may take less than it was given, for example on a disk that is nearly full.
    while (offset < bytes.length) {
      offset += (await onDisk(() => this.#handle.write(bytes, offset))).bytesWritten;
    }
  }

  /** Makes the bytes durable; without it a rename may survive a power failure that its bytes did not. */
  async seal(): Promise<{ bytes: number; sha256: string }> {
    await onDisk(async () => {
      await this.#handle.sync();
      await this.#handle.close();
    });
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  async publish(): Promise<void> {
    await onDisk(async () => {
      await rename(this.#part, this.#target);
      const directory = await open(path.dirname(this.#target));
      await directory.sync().finally(() => directory.close());
    });
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#part, { force: true });
  }
}

async function onDisk<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new WaltrailError('EXPORT_DISK_FULL', `The disk of the export directory is full (${code}).`, {
        cause: error,
      });
    }
    throw new WaltrailError(
      'EXPORT_STORAGE',
      `The export directory refused the file (${code ?? 'unknown reason'}).`,
      {
        cause: error,
      },
    );
  }
}

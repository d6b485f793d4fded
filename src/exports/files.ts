import { createHash, type Hash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { WaltrailError } from '../errors.js';
import type { ExportFormat } from '../api/requests.js';
import type { Kept } from './export.js';

/** Only the user that Waltrail runs as may read values of the trail. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const OWN_NAME = /^([0-9a-f-]{36})\.(?:xlsx|csv|ndjson|[0-9a-f-]{36}\.part)$/;

/** Receives the bytes of an export. Each write begins after the one before has resolved. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
}

/** Number of bytes that are copied at a time. */
const COPY_BYTES = 1024 * 1024;

/** An unfinished file: its export, and the claim of the run that writes it. */
interface PartName {
  readonly id: string;
  readonly claim: string;
  readonly format: ExportFormat;
}

/**
 * The export directory: `<id>.<format>` for a finished file, `<id>.<claim>.part` for an unfinished one.
 * The directory is made if it is missing. Throws EXPORT_DISK_FULL and EXPORT_STORAGE if the disk refuses an
 * operation, and ENOENT if the directory was removed meanwhile.
 */
export class ExportFiles {
  readonly #directory: string;

  constructor(options: { readonly directory: string }) {
    this.#directory = options.directory;
  }

  /** Begins the file of an export, and deletes unfinished files of earlier runs. */
  async begin(options: PartName): Promise<PartFile> {
    await this.deleteParts(options.id);
    return this.#open(options);
  }

  /**
   * Begins the file of an export with the bytes that an earlier run has made durable. Returns undefined if
   * they are not on this machine, or not completely. The bytes are copied, because the earlier run may only
   * seem to have ended and still write to its own file.
   */
  async continue(
    options: PartName & { readonly kept: Kept; readonly signal: AbortSignal },
  ): Promise<PartFile | undefined> {
    const { kept, signal } = options;
    const earlier = await open(this.#part({ ...options, claim: kept.part })).catch(() => undefined);
    if (earlier === undefined) return undefined;
    let part: PartFile | undefined;
    try {
      if ((await earlier.stat()).size < kept.bytes) return undefined;
      part = await this.#open(options);
      const bytes = Buffer.allocUnsafe(COPY_BYTES);
      while (part.bytes < kept.bytes) {
        signal.throwIfAborted();
        const most = Math.min(COPY_BYTES, kept.bytes - part.bytes);
        const { bytesRead } = await onDisk(() => earlier.read(bytes, 0, most, part!.bytes));
        if (bytesRead === 0) throw new Error('the earlier part ended while it was read');
        await part.write(bytes.subarray(0, bytesRead));
      }
      return part;
    } catch (error) {
      await part?.discard();
      throw error;
    } finally {
      await earlier.close();
    }
  }

  /**
   * Opens a finished file. Returns undefined if it is not on this machine, or does not have the size in the
   * row. The caller closes it.
   */
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

  /** Returns the ids of exports with a file here that was last written more than `olderThanMs` ago. */
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

  /** Deletes the unfinished files of an export, except that of the run `butOf`. */
  async deleteParts(id: string, options: { readonly butOf?: string } = {}): Promise<void> {
    const own = options.butOf === undefined ? undefined : `${id}.${options.butOf}.part`;
    for (const name of await readdir(this.#directory).catch(() => []))
      if (name.startsWith(`${id}.`) && name.endsWith('.part') && name !== own)
        await rm(path.join(this.#directory, name), { force: true });
  }

  async #open(options: PartName): Promise<PartFile> {
    return onDisk(async () => {
      await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
      const part = this.#part(options);
      const handle = await open(part, 'wx', FILE_MODE);
      return new PartFile({ handle, part, target: this.#path(options.id, options.format) });
    });
  }

  #part({ id, claim }: Pick<PartName, 'id' | 'claim'>): string {
    return path.join(this.#directory, `${id}.${claim}.part`);
  }

  #path(id: string, format: ExportFormat): string {
    return path.join(this.#directory, `${id}.${format}`);
  }
}

/**
 * An unfinished file. It ends with {@link seal} and {@link publish}, or with {@link discard}, or with
 * {@link leave}.
 */
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

  /** Number of bytes written. */
  get bytes(): number {
    return this.#bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    // The position is taken before the write, because of two concurrent writes the second may reach the disk
    // first.
    const start = this.#bytes;
    const { length } = bytes;
    this.#hash.update(bytes);
    this.#bytes += length;
    // write(2) may take less than it was given, for example on a disk that is nearly full.
    for (let done = 0; done < length;)
      done += (await onDisk(() => this.#handle.write(bytes, done, length - done, start + done))).bytesWritten;
  }

  /** Makes the bytes written so far durable. */
  async sync(): Promise<void> {
    await onDisk(() => this.#handle.datasync());
  }

  /**
   * Ends the file and makes its bytes durable. Otherwise, after a power failure, the renamed file might exist
   * without its bytes.
   */
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

  /** Leaves the file to a later run. */
  async leave(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }

  async discard(): Promise<void> {
    await this.leave();
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
    // The directory was removed while the file was written. The next run makes it again.
    if (code === 'ENOENT') throw error;
    throw new WaltrailError(
      'EXPORT_STORAGE',
      `The export directory refused the file (${code ?? 'unknown reason'}).`,
      {
        cause: error,
      },
    );
  }
}

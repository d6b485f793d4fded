import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { codeOf, WaltrailError } from '../errors.js';

/**
 * Bytes that are encrypted, written and read at once. Less than this stays in memory. Larger buffers are
 * slower to allocate.
 */
const PIECE_BYTES = 64 * 1024;
const FIRST_BYTES = 8 * 1024;
const ALGORITHM = 'aes-256-ctr';
const FILE_NAME = /^waltrail-[0-9a-f]{24}\.spool$/;

/**
 * Bytes in the order in which they were appended: one piece in memory, the rest in a file. They contain rows
 * before redaction. Therefore the file is encrypted with a key that only this object has, and its name is
 * removed as soon as it is open. However the process ends, nothing readable remains.
 *
 * Writing continues in the background after `append`. If it fails, the next call throws SOURCE_SPOOL_FAILED.
 */
export class Spool {
  readonly #folder: string;
  readonly #key = randomBytes(32);
  readonly #iv = randomBytes(16);
  readonly #cipher = createCipheriv(ALGORITHM, this.#key, this.#iv);
  /** The last bytes, which are not in the file yet. */
  #tail = EMPTY;
  #tailBytes = 0;
  #file: FileHandle | undefined;
  #fileBytes = 0;
  #unwrittenBytes = 0;
  #writes: Promise<void> = Promise.resolve();
  #error: WaltrailError | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bytes that were appended and are being written to the file. */
  get unwrittenBytes(): number {
    return this.#unwrittenBytes;
  }

  append(bytes: Buffer, start: number, end: number): void {
    if (this.#error !== undefined) throw this.#error;
    let at = start;
    while (at < end) {
      this.#reserve(end - at);
      const copied = bytes.copy(this.#tail, this.#tailBytes, at, end);
      this.#tailBytes += copied;
      at += copied;
      if (this.#tailBytes === PIECE_BYTES) this.#flush();
    }
  }

  /** Writes the rest and frees the memory. */
  release(): void {
    if (this.#tailBytes > 0) this.#flush();
    this.#tail = EMPTY;
  }

  /** Resolves when all writes have ended. */
  async written(): Promise<void> {
    await this.#writes;
    if (this.#error !== undefined) throw this.#error;
  }

  /** Yields everything that was appended, in pieces. Each piece is valid until the next one is requested. */
  async *read(): AsyncGenerator<Buffer> {
    await this.written();
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#iv);
    const sealed = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.#fileBytes));
    for (let at = 0; at < this.#fileBytes;) {
      const bytes = await this.#readPiece(sealed, at);
      at += bytes;
      const piece = decipher.update(sealed.subarray(0, bytes));
      yield piece;
      free(piece);
    }
    if (this.#tailBytes > 0) yield this.#tail.subarray(0, this.#tailBytes);
  }

  /** Closes the file, which then no longer exists. */
  async close(): Promise<void> {
    await this.#writes;
    // Some file systems report a full disk only at close. The content is no longer needed, so the error is
    // ignored.
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    this.#tail = EMPTY;
  }

  #reserve(bytes: number): void {
    const wanted = this.#tailBytes + bytes;
    if (this.#tail.length >= Math.min(wanted, PIECE_BYTES)) return;
    let size = Math.max(FIRST_BYTES, this.#tail.length);
    while (size < wanted && size < PIECE_BYTES) size *= 2;
    const grown = Buffer.allocUnsafeSlow(size);
    this.#tail.copy(grown, 0, 0, this.#tailBytes);
    this.#tail = grown;
  }

  #flush(): void {
    const sealed = this.#cipher.update(this.#tail.subarray(0, this.#tailBytes));
    this.#tailBytes = 0;
    const at = this.#fileBytes;
    this.#fileBytes += sealed.length;
    this.#unwrittenBytes += sealed.length;
    this.#writes = this.#writes
      .then(() => this.#write(sealed, at))
      .catch((error: unknown) => {
        this.#error ??= spoolError(error);
      });
  }

  async #write(sealed: Buffer, at: number): Promise<void> {
    if (this.#error !== undefined) return;
    this.#file ??= await openUnnamed(this.#folder);
    for (let written = 0; written < sealed.length;) {
      const { bytesWritten } = await this.#file.write(sealed, written, sealed.length - written, at + written);
      written += bytesWritten;
    }
    this.#unwrittenBytes -= sealed.byteLength;
    free(sealed);
  }

  async #readPiece(into: Buffer, at: number): Promise<number> {
    const wanted = Math.min(into.length, this.#fileBytes - at);
    try {
      const { bytesRead } = await this.#file!.read(into, 0, wanted, at);
      if (bytesRead > 0) return bytesRead;
    } catch (error) {
      throw spoolError(error);
    }
    throw spoolError(undefined);
  }
}

const EMPTY = Buffer.alloc(0);

const { port1: nowhere, port2 } = new MessageChannel();
port2.close();

/**
 * Frees the memory of a buffer at once. A cipher allocates its output, and the garbage collector waits for
 * about 35 MB of it. A buffer that is transferred to a closed port is freed immediately (measured: 7 MB
 * instead of 40 MB, and less CPU time).
 */
function free({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) nowhere.postMessage(null, [buffer]);
}

async function openUnnamed(folder: string): Promise<FileHandle> {
  await mkdir(folder, { recursive: true });
  const name = path.join(folder, `waltrail-${randomBytes(12).toString('hex')}.spool`);
  const file = await open(name, 'wx+', 0o600);
  await removeFile(name);
  return file;
}

/**
 * Removes files of processes that were killed between opening a file and removing its name. A file of a
 * running process loses only a name that the process does not need. Never rejects.
 */
export async function removeLeftSpools(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  await Promise.all(
    names
      .filter((name) => FILE_NAME.test(name))
      .map((name) => removeFile(path.join(folder, name)).catch(() => {})),
  );
}

async function removeFile(name: string): Promise<void> {
  try {
    await unlink(name);
  } catch (error) {
    // Another process has removed the file in the meantime.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function spoolError(cause: unknown): WaltrailError {
  return new WaltrailError(
    'SOURCE_SPOOL_FAILED',
    `A transaction in progress cannot be spooled (${codeOf(cause) ?? 'the file is too short'}). From now on, transactions are read only after they commit.`,
    { cause },
  );
}

import { randomInt } from 'node:crypto';
import type { LookupName } from '../../pipeline/ports.js';
import type { Kind } from '../../tracking/rules.js';

const FEWEST_PLACES = 64;
const PAGE_BYTES = 1 << 20;
/** Records begin at multiples of this, so a 32-bit number can address records in 32 GiB. */
const UNIT_BYTES = 8;
const UNITS_OF_PAGE = PAGE_BYTES / UNIT_BYTES;
// A record: kind (1 byte), length of the key (2), of the name (4), of the tenant (2), key, name, tenant.
const AT_KEY_LENGTH = 1;
const AT_NAME_LENGTH = 3;
const AT_TENANT_LENGTH = 7;
const AT_KEY = 9;
/** Value of the tenant's length if the name has no tenant. */
const NO_TENANT = 0xffff;
// Values in the hash table where there is no record. Numbers of records begin with 1.
const FREE = 0;
const REMOVED = 0xffffffff;
/** Least number of unused bytes before the records are rewritten. */
const LEAST_WASTE_BYTES = 4 * PAGE_BYTES;
const KINDS: readonly (Kind | null)[] = [null, 'agent', 'bot', 'system'];

/**
 * Names by key. The texts are kept as bytes in pages of 1 MiB, with an open hash table of their positions. A
 * name takes about 20 bytes beside its texts. The application decides how many names there are, and a Map of
 * them would take four times as much memory.
 */
export class NameTable {
  #pages: Buffer[] = [];
  /** Used bytes of the last page. */
  #at = PAGE_BYTES;
  #records = new Uint32Array(FEWEST_PLACES);
  /** Number of places in the hash table that are not free. */
  #used = 0;
  #liveBytes = 0;
  #wasteBytes = 0;
  /**
   * Secret start value of the hash. The application chooses the keys, and nobody must be able to choose keys
   * that collide.
   */
  readonly #seed = randomInt(2 ** 32);
  /** The key of the current call. */
  #key = Buffer.allocUnsafeSlow(1_024);
  #keyLength = 0;

  /** Bytes of memory that the names take. */
  get bytes(): number {
    return this.#pages.reduce((sum, page) => sum + page.length, this.#records.byteLength);
  }

  get(key: string): LookupName | undefined {
    this.#setKey(key);
    const record = this.#records[this.#place()]!;
    if (record === FREE || record === REMOVED) return undefined;
    const { page, at } = this.#find(record);
    const nameAt = at + AT_KEY + page.readUInt16LE(at + AT_KEY_LENGTH);
    const nameEnd = nameAt + page.readUInt32LE(at + AT_NAME_LENGTH);
    const tenantLength = page.readUInt16LE(at + AT_TENANT_LENGTH);
    return {
      name: page.toString('utf8', nameAt, nameEnd),
      kind: KINDS[page[at]!]!,
      tenant: tenantLength === NO_TENANT ? null : page.toString('utf8', nameEnd, nameEnd + tenantLength),
    };
  }

  /**
   * Sets the name of a key. Keys and tenants must be shorter than 65,535 bytes, which `indexable` ensures.
   */
  set(key: string, { name, kind, tenant }: LookupName): void {
    if (4 * (this.#used + 1) > 3 * this.#records.length) this.#rewrite();
    else if (this.#wasteBytes > Math.max(LEAST_WASTE_BYTES, this.#liveBytes)) this.#rewrite();
    this.#setKey(key);
    const place = this.#place();
    this.#free(place);
    if (this.#records[place] === FREE) this.#used++;
    const nameLength = Buffer.byteLength(name);
    const tenantLength = tenant === null ? 0 : Buffer.byteLength(tenant);
    const record = this.#allocate(AT_KEY + this.#keyLength + nameLength + tenantLength);
    const { page, at } = this.#find(record);
    page[at] = KINDS.indexOf(kind);
    page.writeUInt16LE(this.#keyLength, at + AT_KEY_LENGTH);
    page.writeUInt32LE(nameLength, at + AT_NAME_LENGTH);
    page.writeUInt16LE(tenant === null ? NO_TENANT : tenantLength, at + AT_TENANT_LENGTH);
    this.#key.copy(page, at + AT_KEY, 0, this.#keyLength);
    page.write(name, at + AT_KEY + this.#keyLength);
    if (tenant !== null) page.write(tenant, at + AT_KEY + this.#keyLength + nameLength);
    this.#records[place] = record;
  }

  delete(key: string): void {
    this.#setKey(key);
    const place = this.#place();
    this.#free(place);
    if (this.#records[place] !== FREE) this.#records[place] = REMOVED;
  }

  clear(): void {
    this.#pages = [];
    this.#at = PAGE_BYTES;
    this.#records = new Uint32Array(FEWEST_PLACES);
    this.#used = 0;
    this.#liveBytes = 0;
    this.#wasteBytes = 0;
  }

  #setKey(key: string): void {
    const most = 3 * key.length;
    if (most > this.#key.length) this.#key = Buffer.allocUnsafeSlow(most);
    this.#keyLength = this.#key.write(key);
  }

  /** Returns the place of the key in the hash table, or the free place where it belongs. */
  #place(): number {
    const records = this.#records;
    const mask = records.length - 1;
    let place = hashOf(this.#key, { start: 0, end: this.#keyLength, seed: this.#seed }) & mask;
    for (; records[place] !== FREE; place = (place + 1) & mask)
      if (records[place] !== REMOVED && this.#hasKey(records[place]!)) break;
    return place;
  }

  #hasKey(record: number): boolean {
    const { page, at } = this.#find(record);
    if (page.readUInt16LE(at + AT_KEY_LENGTH) !== this.#keyLength) return false;
    for (let index = 0; index < this.#keyLength; index++)
      if (page[at + AT_KEY + index] !== this.#key[index]) return false;
    return true;
  }

  #find(record: number): RecordPlace {
    return placeIn(this.#pages, record);
  }

  #allocate(bytes: number): number {
    if (this.#at + bytes > PAGE_BYTES) {
      this.#pages.push(Buffer.allocUnsafeSlow(Math.max(PAGE_BYTES, bytes + UNIT_BYTES)));
      // The first record must not be at 0, because 0 means that there is no record.
      this.#at = UNIT_BYTES;
    }
    const record = (this.#pages.length - 1) * UNITS_OF_PAGE + this.#at / UNIT_BYTES;
    const whole = wholeUnits(bytes);
    this.#at += whole;
    this.#liveBytes += whole;
    return record;
  }

  /** Counts the record of a place as unused. */
  #free(place: number): void {
    const record = this.#records[place]!;
    if (record === FREE || record === REMOVED) return;
    const bytes = wholeUnits(bytesAt(this.#find(record)));
    this.#liveBytes -= bytes;
    this.#wasteBytes += bytes;
  }

  /**
   * Rewrites the hash table in the size that it needs, and also the records if many of them are unused.
   * Memory therefore stays in proportion to the names, however often names change.
   */
  #rewrite(): void {
    let records = this.#records.filter((record) => record !== FREE && record !== REMOVED);
    if (this.#wasteBytes > LEAST_WASTE_BYTES / 4) records = this.#move(records);
    let places = FEWEST_PLACES;
    while (2 * (records.length + 1) > places) places *= 2;
    this.#records = new Uint32Array(places);
    this.#used = records.length;
    for (const record of records) {
      const { page, at } = this.#find(record);
      const keyAt = at + AT_KEY;
      const end = keyAt + page.readUInt16LE(at + AT_KEY_LENGTH);
      let place = hashOf(page, { start: keyAt, end, seed: this.#seed }) & (places - 1);
      while (this.#records[place] !== FREE) place = (place + 1) & (places - 1);
      this.#records[place] = record;
    }
  }

  /** Copies records into new pages, and returns their new numbers. */
  #move(records: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
    const before = this.#pages;
    this.#pages = [];
    this.#at = PAGE_BYTES;
    this.#liveBytes = 0;
    this.#wasteBytes = 0;
    return records.map((record) => {
      const from = placeIn(before, record);
      const bytes = bytesAt(from);
      const copy = this.#allocate(bytes);
      const to = this.#find(copy);
      from.page.copy(to.page, to.at, from.at, from.at + bytes);
      return copy;
    });
  }
}

interface RecordPlace {
  readonly page: Buffer;
  readonly at: number;
}

const placeIn = (pages: readonly Buffer[], record: number): RecordPlace => ({
  page: pages[Math.floor(record / UNITS_OF_PAGE)]!,
  at: (record % UNITS_OF_PAGE) * UNIT_BYTES,
});

/** Returns the length of the record at a place. */
function bytesAt({ page, at }: RecordPlace): number {
  const tenantLength = page.readUInt16LE(at + AT_TENANT_LENGTH);
  return (
    AT_KEY +
    page.readUInt16LE(at + AT_KEY_LENGTH) +
    page.readUInt32LE(at + AT_NAME_LENGTH) +
    (tenantLength === NO_TENANT ? 0 : tenantLength)
  );
}

const wholeUnits = (bytes: number): number => Math.ceil(bytes / UNIT_BYTES) * UNIT_BYTES;

/**
 * Returns the FNV-1a hash, which begins with a secret seed. Its upper bits are folded into the lower ones.
 */
function hashOf(
  bytes: Buffer,
  { start, end, seed }: { readonly start: number; readonly end: number; readonly seed: number },
): number {
  let hash = seed;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

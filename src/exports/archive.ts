import { inflateRawSync } from 'node:zlib';

/**
 * Returns the parts of a zip archive in memory, by name, without folders. Only for the few kilobytes that
 * exceljs has written, because it trusts the directory of the archive. PKWARE APPNOTE.TXT 6.3.10, section
 * 4.3.
 */
export function readArchive(archive: Buffer): Map<string, Buffer> {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const parts = new Map<string, Buffer>();
  let record = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = archive.readUInt16LE(record + 28);
    const name = archive.toString('utf8', record + 46, record + 46 + nameLength);
    const header = archive.readUInt32LE(record + 42);
    const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
    const content = archive.subarray(start, start + archive.readUInt32LE(record + 20));
    const stored = archive.readUInt16LE(record + 10) === 0;
    if (!name.endsWith('/')) parts.set(name, stored ? content : inflateRawSync(content));
    record += 46 + nameLength + archive.readUInt16LE(record + 30) + archive.readUInt16LE(record + 32);
  }
  return parts;
}

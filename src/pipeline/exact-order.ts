/**
 * Compares numbers and times as PostgreSQL prints them, exact to the last digit. `Number` would read
 * 9007199254740993 as 9007199254740992. Times are printed with DateStyle ISO, which every connection of
 * Waltrail pins.
 */

/**
 * Returns a number less than, equal to or greater than 0, as `a` compares to `b`. Returns null if one of them
 * cannot be read.
 */
export function compareExactly(order: 'number' | 'time', a: string, b: string): number | null {
  const read = order === 'number' ? readNumber : readTime;
  const [left, right] = [read(a), read(b)];
  if (left === null || right === null) return null;
  return compareParts(left, right);
}

/** Parts that are compared in their order. A text that is the beginning of another one is less. */
type Parts = readonly (number | string)[];

function compareParts(a: Parts, b: Parts): number {
  for (const [index, left] of a.entries()) {
    const right = b[index]!;
    if (left < right) return -1;
    if (left > right) return 1;
  }
  return 0;
}

const NUMBER = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:e([+-]?[0-9]{1,6}))?$/i;

/**
 * Returns sign, exponent and digits. Those of a negative number are inverted, so that they compare correctly.
 */
function readNumber(text: string): Parts | null {
  if (text === 'NaN') return [2];
  if (text === 'Infinity' || text === '-Infinity') return [text.startsWith('-') ? -2 : 1.5];
  const match = NUMBER.exec(text);
  if (match === null) return null;
  const whole = match[2]!;
  const all = whole + (match[3] ?? '');
  const digits = all.replace(/^0+/, '').replace(/0+$/, '');
  if (digits === '') return [0, 0, ''];
  const leading = all.length - all.replace(/^0+/, '').length;
  const exponent = whole.length - leading + Number(match[4] ?? 0);
  if (match[1] === '') return [1, exponent, digits];
  // Nine's complement, then a character that is greater than all digits, so that -1.5 is less than -1.25.
  const turned = digits.replace(/[0-9]/g, (digit) => String(9 - Number(digit)));
  return [-1, -exponent, `${turned}:`];
}

const TIME =
  /^(?:([0-9]{4,7})-([0-9]{2})-([0-9]{2}))?(?:(?:^| )([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?)?([+-][0-9]{2}(?::[0-9]{2}){0,2})?( BC)?$/;

/** Returns seconds since year 0, and microseconds. */
function readTime(text: string): Parts | null {
  if (text === 'infinity' || text === '-infinity') return [text === 'infinity' ? Infinity : -Infinity, 0];
  const match = TIME.exec(text);
  if (match === null || text === '') return null;
  const [, year, month, day, hours = 0, minutes = 0, seconds = 0, fraction = '', zone, era] = match;
  const days =
    year === undefined
      ? 0
      : daysOf(era === undefined ? Number(year) : 1 - Number(year), Number(month), Number(day));
  const ofDay = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return [days * 86_400 + ofDay - offsetOf(zone), Number(fraction.padEnd(6, '0'))];
}

/** Returns the seconds of `+02`, `-03:30` or `+00:53:28`. */
function offsetOf(zone: string | undefined): number {
  if (zone === undefined) return 0;
  const [hours = 0, minutes = 0, seconds = 0] = zone.slice(1).split(':').map(Number);
  const size = hours * 3600 + minutes * 60 + seconds;
  return zone.startsWith('-') ? -size : size;
}

/** Returns the days since 0000-03-01 in the Gregorian calendar. Earlier days are negative. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + ofYear;
}

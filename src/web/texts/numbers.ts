/** Formats a count: `12,345`. */
export const countText = (count: number): string => count.toLocaleString('en-US');

/** Formats a number of entries: `1 entry`, `2 entries`. */
export const entriesText = (count: number): string =>
  `${countText(count)} ${count === 1 ? 'entry' : 'entries'}`;

/** Formats a size in powers of 1,000: `1.4 MB`. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]!}`;
}

/** Formats a duration in its largest unit: `40 seconds`, `3 minutes`, `2 hours`. */
export function spanText(seconds: number): string {
  const [count, unit] =
    seconds < 120
      ? [seconds, 'second']
      : seconds < 7_200
        ? [Math.floor(seconds / 60), 'minute']
        : [Math.floor(seconds / 3_600), 'hour'];
  return `${countText(count)} ${unit}${count === 1 ? '' : 's'}`;
}

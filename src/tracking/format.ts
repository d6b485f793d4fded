const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `1.5 MB`: powers of 1024, as PostgreSQL writes sizes. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]!}`;
}

const DURATIONS = [
  ['days', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** `3 h 10 min`: the two largest units. */
export function formatDuration(seconds: number): string {
  const first = DURATIONS.findIndex(([, unit]) => seconds >= unit);
  if (first === -1) return 'less than 1 s';
  let rest = Math.floor(seconds);
  const parts = DURATIONS.slice(first, first + 2).map(([name, unit]) => {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    return { name, count };
  });
  return parts
    .filter(({ count }) => count > 0)
    .map(({ name, count }) => (name === 'days' && count === 1 ? '1 day' : `${count} ${name}`))
    .join(' ');
}

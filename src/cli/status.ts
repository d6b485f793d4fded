import { setTimeout as sleep } from 'node:timers/promises';
import { countRecent, lookAround, type Look } from '../doctor/look.js';
import { statusOf, type CaptureState } from '../doctor/status.js';
import { statusText } from '../doctor/status-text.js';
import { defineCommand, usageError, type Command } from './command.js';
import { loadOwnConfig } from './config.js';

/** Time between the two looks from which rates are computed. */
const LOOK_MS = 1_000;
const USUAL_WATCH_S = 5;
const MAX_WATCH_S = 3_600;

/** Exit codes, for scripts. */
const EXIT_CODES: Readonly<Record<CaptureState, number>> = {
  streaming: 0,
  silent: 1,
  'stopped at a gap': 1,
  'nobody captures': 1,
  'not begun': 1,
  unknown: 3,
};

/** `waltrail status`: prints the status of capture, once or repeatedly. */
export const status: Command = defineCommand({
  usage: '[--watch [SECONDS]]',
  help: `Prints how far capture is behind, how long the source keeps the WAL that capture needs, which process captures, and which
gaps are open. Reads both sides twice, a second apart, to measure rates. Exits with 0 if capture streams, with 1 if it does
not, and with 3 if the trail does not answer, so that this is not known. If one side does not answer, the other is shown.

  --watch [SECONDS]   repeat every SECONDS (default: ${USUAL_WATCH_S}), until it is interrupted
`,
  options: { watch: { type: 'boolean' } },
  arguments: { least: 0, most: 1 },
  json: true,
  run: async ({ values, arguments: [given], settings, answer }) => {
    const intervalMs = 1_000 * secondsOf(given, values.watch === true);
    const config = loadOwnConfig(settings());
    const interrupted = values.watch === true ? onInterrupt() : undefined;
    let before: Look | null = await lookAround(config);
    let waitMs = LOOK_MS;
    for (;;) {
      await sleep(waitMs, undefined, { signal: interrupted }).catch(() => undefined);
      const now: Look = await lookAround(config);
      const recent = isTrailKnown(now) ? await countRecent(config, new Date()) : null;
      const found = statusOf({ config, before, now, recent });
      answer({ text: statusText(found), data: found });
      if (interrupted === undefined || interrupted.aborted) return EXIT_CODES[found.state];
      before = now;
      waitMs = intervalMs;
    }
  },
});

function secondsOf(given: string | undefined, watches: boolean): number {
  if (given === undefined) return USUAL_WATCH_S;
  const seconds = Number(given);
  if (!watches || !Number.isInteger(seconds) || seconds < 1 || seconds > MAX_WATCH_S)
    throw usageError(`waltrail status --watch takes whole seconds from 1 to ${MAX_WATCH_S}.`);
  return seconds;
}

/**
 * Returns a signal for the first interruption. The watch then looks once more, and exits with that status.
 */
function onInterrupt(): AbortSignal {
  const stopping = new AbortController();
  const stop = (): void => {
    for (const signal of INTERRUPTS) process.off(signal, stop);
    stopping.abort();
  };
  for (const signal of INTERRUPTS) process.on(signal, stop);
  return stopping.signal;
}

const INTERRUPTS = ['SIGINT', 'SIGTERM'] as const;

const isTrailKnown = ({ trail }: Look): boolean => trail !== null && !(trail instanceof Error);

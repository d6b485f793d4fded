import { pino, type DestinationStream, type Logger } from 'pino';

/**
 * Structured log: a fixed sentence plus fields (`lsn`, `xid`, `relation`, `code`), to standard error, so that
 * standard output stays for what a person or a script asked for. A row value or a credential is never a field.
 */
export type Log = Logger;

export function createLog(options: { level: string; destination?: DestinationStream }): Log {
  return pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  );
}

/** For tests and scripts that do not care. */
export const silentLog: Log = pino({ level: 'silent' });

import type { Catalog } from './catalog.js';

/** A role of the application, for the DBA to replace. */
const APPLICATION = 'app_role';

/**
 * Advice for the DBA: who may emit logical messages can say who made the changes of their transactions, and
 * PostgreSQL lets everybody. The overloads differ by version, and each has rights of its own. Empty where the
 * right was taken from everybody.
 */
export function messageAdvice({ messageFunctions }: Catalog): string[] {
  const open = messageFunctions.filter(({ isPublic }) => isPublic).map(({ signature }) => signature);
  if (open.length === 0) return [];
  return [
    [
      `Everybody who may log in to this database can send logical messages, and so say who made their changes. To leave that to the application, run as a superuser, with its role instead of ${APPLICATION}:`,
      ...open.map((signature) => `revoke execute on function ${signature} from public;`),
      ...messageFunctions.map(({ signature }) => `grant execute on function ${signature} to ${APPLICATION};`),
    ].join('\n'),
  ];
}

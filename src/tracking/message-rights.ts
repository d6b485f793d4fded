import type { Catalog } from './catalog.js';

/** A placeholder for the application's role, which the DBA replaces. */
const APPLICATION = 'app_role';

/**
 * Advises the DBA to restrict who may emit logical messages. A role with this right can state who made the
 * changes of its transactions, and by default every role has it. The overloads differ by version, and each
 * has its own rights. Empty if the right was revoked from public.
 */
export function messageAdvice({ messageFunctions }: Catalog): string[] {
  const open = messageFunctions.filter(({ isPublic }) => isPublic).map(({ signature }) => signature);
  if (open.length === 0) return [];
  return [
    [
      `Every role that may log in to this database can send logical messages, and with them state who made its changes. To allow only the application to do so, run this as a superuser, with its role instead of ${APPLICATION}:`,
      ...open.map((signature) => `revoke execute on function ${signature} from public;`),
      ...messageFunctions.map(({ signature }) => `grant execute on function ${signature} to ${APPLICATION};`),
    ].join('\n'),
  ];
}

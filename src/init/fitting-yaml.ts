import { WaltrailError } from '../errors.js';
import type { Proposal } from './proposal.js';
import { writeYaml, type Detail, type Remarks } from './write-yaml.js';

/** Limit of TrackingDocument in document.ts. */
const MAX_CHARACTERS = 1_048_576;
const DETAILS: readonly Detail[] = ['everything', 'rules', 'names'];

/**
 * Writes the YAML with as much detail as its size limit allows. Throws INIT_TOO_LARGE if the names of the
 * tables alone are too long.
 */
export function fittingYaml(
  proposal: Proposal,
  remarks: Remarks,
): { readonly text: string; readonly detail: Detail } {
  for (const detail of DETAILS) {
    const text = writeYaml(proposal, remarks, detail);
    if (text.length <= MAX_CHARACTERS) return { text, detail };
  }
  throw new WaltrailError(
    'INIT_TOO_LARGE',
    `The source has ${proposal.tables.length} tables, and a YAML that names them all is longer than 1 MiB.`,
  );
}

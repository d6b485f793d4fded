import { networkOf } from './network.js';

/**
 * Refusals of a token that are recorded in a minute: one a second. A person at the page causes fewer, and the
 * record shows each step of a script that is refused.
 */
const OF_A_TOKEN = 60;
/** The same for an address without a known token, and for all of them together: guesses are free to make. */
const OF_AN_ADDRESS = 20;
const OF_ALL_ADDRESSES = 120;
/** Addresses that have their own budget in a minute. Further ones share one: addresses can be invented. */
const ADDRESSES = 50;
/** The address in the row that counts the refusals of those further addresses. */
const OTHER_ADDRESSES = 'others';

/** A refusal, as far as its budget depends on it. */
export interface Refusal {
  readonly principal: { readonly tokenId: string } | undefined;
  readonly address: string;
}

/** Refusals beyond a budget: the last of them, the address to record, and their number. */
export interface Beyond<T> {
  readonly last: T;
  readonly address: string;
  readonly count: number;
}

interface Budget<T> {
  taken: number;
  beyond: number;
  last: T;
}

/**
 * Decides which refusals of a minute are recorded one by one, and counts the others. Known tokens and
 * addresses have separate budgets, so a guesser cannot keep the refusals of a token out of the record.
 */
export class RefusalBudgets<T extends Refusal> {
  readonly #tokens = new Map<string, Budget<T>>();
  readonly #addresses = new Map<string, Budget<T>>();
  #ofAllAddresses = 0;

  /** Takes a refusal from its budget. Returns whether to record it; otherwise it is counted. */
  take(refusal: T): boolean {
    const { principal } = refusal;
    const budget =
      principal === undefined
        ? budgetOf(this.#addresses, this.#keyOf(refusal), refusal)
        : budgetOf(this.#tokens, principal.tokenId, refusal);
    const isFree =
      principal === undefined
        ? budget.taken < OF_AN_ADDRESS && this.#ofAllAddresses < OF_ALL_ADDRESSES
        : budget.taken < OF_A_TOKEN;
    if (!isFree) {
      budget.beyond += 1;
      budget.last = refusal;
      return false;
    }
    budget.taken += 1;
    if (principal === undefined) this.#ofAllAddresses += 1;
    return true;
  }

  /** Begins a new minute. Returns what was beyond the budgets of the old one. */
  renew(): Beyond<T>[] {
    const found: Beyond<T>[] = [];
    for (const budgets of [this.#tokens, this.#addresses]) {
      for (const [key, { beyond, last }] of budgets) {
        if (beyond === 0) continue;
        const address = key === OTHER_ADDRESSES ? OTHER_ADDRESSES : last.address;
        found.push({ last, address, count: beyond });
      }
      budgets.clear();
    }
    this.#ofAllAddresses = 0;
    return found;
  }

  #keyOf({ address }: T): string {
    const network = networkOf(address);
    return this.#addresses.has(network) || this.#addresses.size < ADDRESSES ? network : OTHER_ADDRESSES;
  }
}

function budgetOf<T>(budgets: Map<string, Budget<T>>, key: string, last: T): Budget<T> {
  let budget = budgets.get(key);
  if (budget === undefined) budgets.set(key, (budget = { taken: 0, beyond: 0, last }));
  return budget;
}

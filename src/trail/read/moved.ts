import { MOVED_ACTIONS } from './entry.js';

/**
 * Ids for the actions of entries that moved. They cannot be in the dictionary of actions, which has int2 ids.
 */
export const MOVED_IDS = { arrived: 32_768, left: 32_769 } as const;

/** Returns the action for such an id. */
export const movedAction = (id: number): string | undefined =>
  id === MOVED_IDS.arrived ? MOVED_ACTIONS.arrived : id === MOVED_IDS.left ? MOVED_ACTIONS.left : undefined;

export const isMovedId = (id: number): boolean => movedAction(id) !== undefined;

export const movedIds = (name: string): readonly number[] =>
  name === MOVED_ACTIONS.arrived ? [MOVED_IDS.arrived] : name === MOVED_ACTIONS.left ? [MOVED_IDS.left] : [];

/**
 * Returns SQL for the action of `entry e` as a reader of one tenant sees it. `scope` is an SQL expression of
 * the tenant's id.
 */
export const shownActionSql = (scope: string): string =>
  `case when e.previous_tenant_id is null then e.action_id
        when e.previous_tenant_id = ${scope} then ${MOVED_IDS.left} else ${MOVED_IDS.arrived} end`;

import type pg from 'pg';

/** A gap that a test puts into the trail through the functions of capture, and then moves in time. */
export interface NewGap {
  readonly code?: string;
  readonly tables?: readonly string[] | null;
  readonly lastEntryAt?: string | null;
  readonly foundAt?: string;
  /** If left out, the gap is open. */
  readonly closedAt?: string;
}

/** Opens a gap on a trail that has begun, and closes it if requested. Returns its id. */
export async function addGap(client: Pick<pg.ClientBase, 'query'>, gap: NewGap = {}): Promise<number> {
  const { code = 'SOURCE_SLOT_LOST', tables = null } = gap;
  await client.query(/* sql */ `select trail.open_gap($1, 'Changes may be missing', $2, '0/2000', null)`, [
    code,
    tables,
  ]);
  const { rows } = await client.query<{ id: number }>('select max(id) as id from trail.gap');
  const { id } = rows[0]!;
  if (gap.closedAt !== undefined)
    await client.query(/* sql */ `select trail.close_gaps(array[$1::int4], '0/3000', 'Capture resumes')`, [
      id,
    ]);
  await client.query(
    /* sql */ `update trail.gap set last_entry_at = $2, found_at = coalesce($3, found_at), closed_at = $4 where id = $1`,
    [id, gap.lastEntryAt ?? null, gap.foundAt ?? null, gap.closedAt ?? null],
  );
  return id;
}

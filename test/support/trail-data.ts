import pg from 'pg';
import { catchUpIndex } from '../../src/trail/write/catch-up.js';

export interface SeedOptions {
  /** URL of a migrated trail without entries, for the superuser. */
  readonly url: string;
  readonly entries: number;
  /** Commit times are spread evenly over `[from, to)`; the last three days by default. */
  readonly from?: Date;
  readonly to?: Date;
  /** Different seeds make different entries; the same seed makes the same ones. */
  readonly seed?: number;
  /** Whether to index and summarise as the writer and housekeeping do. Default: true. */
  readonly index?: boolean;
}

const FIRST_DAY_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

/**
 * Fills a trail with entries such as a CRM makes. It has 400 agents, some of them renamed, bots and nobody;
 * five tenants, a small one and none; inserts, updates and deletes; logins that fail. Values are of every
 * kind, with nulls, unknowns and odd texts. Transactions have three entries with one commit time, and
 * sometimes the commit time goes back by 90 s. Takes about 15 us per entry.
 */
export async function seedTrail(options: SeedOptions): Promise<void> {
  const to = options.to ?? new Date();
  const from = options.from ?? new Date(to.getTime() - 3 * DAY_MS);
  const seed = options.seed ?? 1;
  const days = daysOf({ from, to, entries: options.entries });
  const client = new pg.Client({ connectionString: options.url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(DICTIONARIES);
    for (const { day, first, count } of days) {
      await client.query(
        `select trail.make_partition($1) where to_regclass('trail.' || trail.partition_name($1)) is null`,
        [day],
      );
      await client.query(ENTRIES, [
        day,
        first,
        count,
        seed,
        from.toISOString(),
        to.toISOString(),
        options.entries,
      ]);
    }
    const last = days.at(-1)!;
    for (const { day, count } of days.slice(0, -1)) {
      await client.query('insert into trail.day (day, entries) values ($1, $2)', [day, count]);
    }
    await client.query(CHECKPOINT, [
      ((BigInt(last.day) << 32n) + BigInt(last.count)).toString(),
      options.entries,
      to.toISOString(),
    ]);
    await client.query('commit');
    await client.query('analyze trail.entry');
  } finally {
    await client.end();
  }
  if (options.index ?? true) await indexTrail(options.url);
}

/**
 * Turns updates of a trail that was seeded without index into updates of rows that moved: to another tenant,
 * from none, to none with another id, or to another id only.
 */
export const MOVES = /* sql */ `
  update trail.entry
     set previous_tenant_id = case when id % 10 = 3 then 0 else tenant_id % 5 + 1 end,
         previous_entity_id = case when id % 4 = 0 then entity_id || '9' else entity_id end,
         previous_entity_name = 'Former ' || entity_name
   where operation = 'u' and (id % 47 = 3 or id % 16384 between 100 and 140) and not (tenant_id = 0 and id % 10 = 3);
  update trail.entry set previous_entity_id = entity_id || '9'
   where operation = 'u' and id % 53 = 4 and previous_tenant_id is null`;

/**
 * Creates the posting lists and summaries of entries that no writer stored: first those of the writer, then
 * those of housekeeping.
 */
export async function indexTrail(
  url: string,
  options: { readonly rollUp: boolean } = { rollUp: true },
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await catchUpIndex(client);
    if (!options.rollUp) return;
    await client.query('select trail.roll_up(100000)');
    await client.query('analyze trail.posting, trail.chunk, trail.block, trail.block_value');
  } finally {
    await client.end();
  }
}

/**
 * Groups entries by the UTC day on which they are stored. It is the day of their commit, except for commit
 * times that go back.
 */
function daysOf(range: {
  from: Date;
  to: Date;
  entries: number;
}): { day: number; first: number; count: number }[] {
  const days: { day: number; first: number; count: number }[] = [];
  const length = range.to.getTime() - range.from.getTime();
  const firstDay = Math.floor((range.from.getTime() - FIRST_DAY_MS) / DAY_MS);
  let first = 0;
  for (let day = firstDay; first < range.entries; day++) {
    const endOfDay = FIRST_DAY_MS + (day + 1) * DAY_MS;
    const end = Math.min(
      range.entries,
      Math.ceil(((endOfDay - range.from.getTime()) / length) * range.entries),
    );
    if (end > first) days.push({ day, first, count: end - first });
    first = end;
  }
  return days;
}

const DICTIONARIES = /* sql */ `
insert into trail.modifier (id, key, name, kind)
  select n, n::text, 'Agent ' || chr(65 + n % 26) || ' Levi ' || n, 'agent' from generate_series(1, 400) n
  union all select 400 + n, 'bot-' || n, 'Tagging bot ' || n, 'bot' from generate_series(1, 5) n
  -- Renamed: the same keys again, with other names.
  union all select 500 + n, n::text, 'Agent ' || chr(65 + n % 26) || ' Levi-Katz ' || n, 'agent' from generate_series(1, 20) n;
insert into trail.action (id, name)
  select ordinality, name from unnest(array['add', 'edit', 'delete', 'set', 'login', 'logout', 'login_failed', 'block',
    'activate', 'assign', 'merge', 'archive']) with ordinality as a (name, ordinality);
insert into trail.entity_type (id, name)
  select ordinality, name from unnest(array['agent', 'customer', 'conversation', 'setting', 'campaign', 'module', 'login', 'team'])
    with ordinality as t (name, ordinality);
insert into trail.tenant (id, name) select n, n::text from generate_series(1, 5) n union all select 6, 'small';
-- Relation 1 to 8 belong to the entity types of the same number; 9 is a later version of 2, with a column more.
insert into trail.relation (id, schema_name, table_name, columns)
  select id, 'public', name || 's', '[{"name": "id", "type": 20}, {"name": "name", "type": 25},
    {"name": "status", "type": 23, "values": {"1": "online", "2": "away", "3": "closed"}},
    {"name": "blocked", "type": 16}, {"name": "balance", "type": 1700}, {"name": "team_id", "type": 20, "label": "public.teams"},
    {"name": "profile", "type": 3802}, {"name": "created_at", "type": 1184}, {"name": "avatar", "type": 17}]'::jsonb
    from trail.entity_type;
insert into trail.relation (id, schema_name, table_name, columns)
  select 9, schema_name, table_name, columns || '[{"name": "ratio", "type": 701}]'::jsonb from trail.relation where id = 2;
insert into trail.lookup (table_name, key, from_id, name)
  select 'public.teams', n::text, 0, 'Team ' || n from generate_series(1, 20) n;
`;

/**
 * $1 day, $2 number of its first entry, $3 count, $4 seed, $5 from, $6 to, $7 entries in all. Each entry uses
 * three random 64-bit numbers, which shifts and remainders cut into smaller ones.
 */
const ENTRIES = /* sql */ `
insert into trail.entry (id, committed_at, commit_lsn, seq, xid, modifier_id, relation_id, tenant_id, entity_type_id, action_id,
                         operation, rung, entity_id, entity_name, columns, previous, updated, extra)
select ($1::int8 << 32) + n - $2::int8,
       committed_at,
       '0/1000000'::pg_lsn + (n / 3 * 256),
       (n % 3)::int4,
       ((n / 3 + 700) % 4294967295)::text::xid,
       modifier_id, relation_id, tenant_id, entity_type_id, action_id, operation,
       case when modifier_id = 0 then '-' when n % 11 = 0 then 'm' when n % 4001 = 7 then 'a' else 'c' end::"char",
       case when action_id <> 5 or n % 5 > 0 then entity end,
       case when n % 13 > 0 then initcap(type_name) || ' ' || substr('AaBbCcDdEe', (n % 10)::int4 + 1, 1) || entity end,
       case operation when 'u' then '#%&' end,
       case operation
         when 'u' then concat(status, s, balance, s, case when n % 31 = 0 then e || 'U' else team::text end, s)
         when 'd' then whole_row || case when relation_id = 9 then case when n % 7 = 0 then 'NaN' else '0.' || n end || s else '' end
       end,
       case operation
         when 'u' then concat(status % 3 + 1, s, balance + 1, s, case when n % 6 = 0 then e || 'N' else team % 20 + 1 || '' end, s)
         when 'i' then whole_row || case when relation_id = 9 then '1e+100' || s else '' end
       end,
       case when n % 11 = 0 then '{"context":{"request": "' || md5(n::text) || '", "n": 1' || n || '00000000000000000001}}'
            when n % 13 = 0 then '{"origin":"elsewhere"}' end
  from (
    select n, b, c, chr(31) as s, chr(27) as e,
           timestamptz '2000-01-01' + (extract(epoch from $5::timestamptz - timestamptz '2000-01-01')::numeric
             + (extract(epoch from $6::timestamptz - $5::timestamptz)::numeric * (n / 3 * 3) / $7::int8)) * interval '1 s'
             - case when n / 3 % 997 = 5 then interval '90 s' else interval '0' end as committed_at,
           case when a % 10 = 0 then 0 when a % 23 = 0 then 401 + ((a >> 20) % 5)::int4
                -- Few agents do most; the renamed are known by their new name in the second half.
                else case when (400 * power((a >> 8) % 100000 / 100000.0, 3))::int4 % 400 + 1 <= 20 and n * 2 > $7::int8 then 500 else 0 end
                     + (400 * power((a >> 8) % 100000 / 100000.0, 3))::int4 % 400 + 1 end as modifier_id,
           type_id::int2 as entity_type_id, case when type_id = 2 and n * 2 > $7::int8 then 9 else type_id end as relation_id,
           type_name,
           case when b % 20000 = 1 then 6 when a % 7 = 0 then 0 else 1 + ((a >> 40) % 5)::int4 end as tenant_id,
           -- 12 (archive) is very rare, 11 (merge) rare.
           case when b % 50000 = 0 then 12 when b % 3000 = 0 then 11
                when type_id = 7 then 5 + ((b >> 10) % 3)::int4
                when op = 'i' then 1 when op = 'd' then 3
                when (b >> 10) % 40 = 0 then 8 when (b >> 10) % 40 = 1 then 9 when (b >> 10) % 8 = 2 then 10
                when type_id = 4 then 4 else 2 end::int2 as action_id,
           op::"char" as operation,
           ((c >> 4) % (10 * power(10, type_id % 5))::int8)::text as entity,
           ((b >> 30) % 3 + 1)::int4 as status, ((c >> 20) % 1000000) / 100.0 as balance, ((b >> 40) % 20 + 1)::int4 as team,
           concat(n, chr(31), case when n % 17 = 0 then 'Élan "' || chr(27) || '[' || n || E'\\n100%_\\\\' else 'Name ' || md5(c::text) end, chr(31),
             (b >> 30) % 3 + 1, chr(31), case when n % 2 = 0 then 't' else 'f' end, chr(31), ((c >> 20) % 1000000) / 100.0, chr(31),
             (b >> 40) % 20 + 1, chr(31), '{"tags": ["' || substr(md5(b::text), 1, 5) || '"], "big": 12345678901234567890}', chr(31),
             committed, chr(31), case when n % 19 = 0 then chr(27) || 'X00ff' else chr(27) || 'N' end, chr(31)) as whole_row
      from (select n, (1 + (a0 >> 50) % 8)::int4 as type_id, a0 as a, b0 as b, c0 as c, '2026-11-20 10:00:00.5+00' as committed,
                   case when (b0 >> 50) % 10 < 6 then 'u' when (b0 >> 50) % 10 < 9 then 'i' else 'd' end as op
              from (select n, hashint8extended(n, $4::int8) & 9223372036854775807 as a0,
                           hashint8extended(n, $4::int8 + 1000) & 9223372036854775807 as b0,
                           hashint8extended(n, $4::int8 + 2000) & 9223372036854775807 as c0
                      from generate_series($2::int8, $2::int8 + $3::int8 - 1) n) draws) entity
      join (select id as type_id, name as type_name from trail.entity_type) type using (type_id)
  ) entry
 order by n`;

const CHECKPOINT = /* sql */ `
insert into trail.checkpoint (source, system_identifier, timeline, slot, start_lsn, end_lsn, next_id, entries, last_committed_at, began_at)
  values ('crm', '7300000000000000000', 1, 'waltrail', '0/1000000', '0/1000000'::pg_lsn + ($2::int8 * 256), $1, $2, $3, '2026-01-01T00:00:00Z')`;

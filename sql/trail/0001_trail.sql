-- The trail: entries, the dictionaries they refer to, and the checkpoint that says how far they go.
-- Layout and sizes follow measurements on 10 million entries (src/DECISIONS.md, 2 to 5).

create schema if not exists trail;                 -- the list of migrations is in it already
comment on schema trail is 'Waltrail: the audit trail. Never publish this schema: the trail would audit itself.';

-- ---------------------------------------------------------------- checkpoint

create table trail.checkpoint (
  source            text primary key,            -- source.name of the YAML; a trail holds one source
  system_identifier text not null,               -- of the source cluster (IDENTIFY_SYSTEM)
  timeline          int4 not null,
  slot              text not null,
  start_lsn         pg_lsn not null,             -- consistent point of the slot: the trail begins here
  end_lsn           pg_lsn not null,             -- end of the last source transaction that is in the trail
  next_id           int8 not null,               -- id of the next entry
  entries           int8 not null default 0,     -- stored since the trail began
  last_committed_at timestamptz,                 -- commit time of the last stored source transaction
  updated_at        timestamptz not null default clock_timestamp(),
  check (end_lsn >= start_lsn)
) with (fillfactor = 50);                        -- updated at every commit: leave room for HOT updates
create unique index checkpoint_one_source on trail.checkpoint ((true));
comment on table trail.checkpoint is 'How far the trail goes. Advanced only by trail.advance, in the transaction that stores the entries.';

-- An entry id is (day << 32) + n: day counts from 2026-01-01 UTC and is the day of storing, n is dense from 0 in commit order.
-- So ids grow in commit order, a day is one partition that can be made ahead, and (id >> 14) numbers chunks of 16,384 entries.
-- A chunk is complete when it has as many, or when its day is over.
create table trail.day (
  day     int4 primary key,                      -- days since 2026-01-01 UTC
  entries int8 not null check (entries >= 0)     -- ids of that day are dense below this; the running day is not in here
);
comment on table trail.day is 'Finished days that have entries. The running day is (checkpoint.next_id >> 32).';

create table trail.secret (
  name  text primary key,
  value text not null
);
insert into trail.secret values ('redaction_key', gen_random_uuid()::text || gen_random_uuid()::text);
comment on table trail.secret is 'Keys that only the writer reads: with redaction_key, hashes of redacted values cannot be found by trying.';

-- ---------------------------------------------------------------- dictionaries

create table trail.modifier (
  id   int4 primary key,                         -- 0: nobody found
  key  text,                                     -- the modifier column's value, or what a logical message said
  name text not null,                            -- as of the change: a rename makes a new row with the same key
  kind text not null check (kind in ('agent', 'bot', 'system')),
  check (id = 0 or key is not null)
);
create index modifier_key on trail.modifier (key);
insert into trail.modifier values (0, null, 'System', 'system');
comment on table trail.modifier is 'Who made changes, one row for each key, name and kind ever seen.';

create table trail.action (
  id   int2 primary key,
  name text not null unique
);
comment on table trail.action is 'Action categories.';

create table trail.entity_type (
  id   int2 primary key,
  name text not null unique
);
comment on table trail.entity_type is 'Entity types, in the administrator''s words.';

create table trail.tenant (
  id   int4 primary key check (id > 0),          -- 0 in trail.entry: no tenant
  name text not null unique
);
comment on table trail.tenant is 'Tenants, as the tracked tables'' tenant columns print them.';

create table trail.relation (
  id          int4 primary key,
  schema_name text not null,
  table_name  text not null,
  -- [{"name": "status", "type": 23, "values": {"1": "online"}}, {"name": "team_id", "type": 20, "label": "public.teams"}, ...]
  -- in the order of the relation message, to which trail.entry.columns refers. "type" is the type's OID, "values" the YAML's
  -- words for stored values, "label" the table_name in trail.lookup that has the words.
  columns     jsonb not null,
  created_at  timestamptz not null default clock_timestamp()
);
comment on table trail.relation is 'Versions of tracked tables: a new row whenever the relation message or its tracking changes.';

create table trail.lookup (
  table_name text not null,                      -- schema.table of the source
  key        text not null,
  from_id    int8 not null,                      -- entries from this id on see this name, until the next row of the key
  name       text,                               -- null: deleted
  kind       text check (kind in ('agent', 'bot', 'system')),   -- modifiers only
  primary key (table_name, key, from_id)
);
comment on table trail.lookup is 'Names of modifiers and labels by key, every version: so a value is shown in the words of its time.';

-- ---------------------------------------------------------------- entries

create table trail.entry (
  id             int8 not null,
  committed_at   timestamptz not null,           -- the source transaction's commit time
  commit_lsn     pg_lsn not null,                -- with seq: the identity of the change
  seq            int4 not null,                  -- index of the change in its transaction
  xid            xid not null,                   -- of the source; wraps
  modifier_id    int4 not null,
  relation_id    int4 not null,
  tenant_id      int4 not null,                  -- 0: none
  entity_type_id int2 not null,
  action_id      int2 not null,
  operation      "char" not null,                -- i insert, u update, d delete, t truncate
  rung           "char" not null,                -- m message, c column, s session, - nobody found, w Waltrail's own
  entity_id      text collate "C",
  entity_name    text,
  columns        text collate "C",               -- which columns the values are of; null: all of the relation version
  previous       text,                           -- values before, encoded (src/trail/values.ts); null for an insert
  updated        text,                           -- values after; null for a delete
  extra          text,                           -- json: {"context": …, "origin": "…"}; null mostly
  check (operation in ('i', 'u', 'd', 't')),
  check (operation <> 'i' or previous is null),
  check (operation <> 'd' or updated is null)
) partition by range (id);
comment on table trail.entry is 'The audit entries, in commit order. Insert only.';

-- Values over 2 kB are compressed, with lz4 where the server has it: a value of 10 kB took 25 us to store and 19 to read, with
-- pglz 118 and 27, in as many bytes (PostgreSQL 15). Partitions copy this from the table; what is stored already stays readable.
do $$
begin
  if exists (select from pg_catalog.pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
    alter table trail.entry alter column previous set compression lz4;
    alter table trail.entry alter column updated set compression lz4;
  end if;
end $$;

-- Uniqueness of id and of (commit_lsn, seq) rests on the fence in trail.advance, which lets one writer continue from one
-- position exactly once. Only what grows with the table has an index of PostgreSQL; which entries a filter finds says trail.posting.
-- Cost: bytes and us of the trail's processor for an entry, COPY of 600,000 entries of test/support/trail-data.ts, which takes
-- 1.5 us without any index (PostgreSQL 18, Intel Xeon).

-- 23 B, 0.55 us. Entries by id: those that the lists of trail.posting name, and all of a stretch.
create index entry_id on trail.entry (id);
-- 0.4 B, 0.05 us. What somebody asks for by time in psql. No page or count needs it.
create index entry_time on trail.entry using brin (committed_at) with (pages_per_range = 32, autosummarize = on);

-- ---------------------------------------------------------------- posting lists

-- Which of a chunk's entries have a value, written by the writer when it stores the chunk's last entry, in the same transaction. So
-- exactly the chunks behind the last one of trail.chunk have none: they are read whole, and are 16,384 entries at most in
-- ordinary life. Where a b-tree with each value's chunk in front costs every entry 1.3 us, this costs 0.2 in the writer's process.
create table trail.posting (
  dimension "char" not null,                     -- m modifier, t entity type, a action, n tenant, e entity
  bucket    int2 not null,                       -- the last 10 bits of a key: a dictionary id, or the hash of an entity id
  chunk     int4 not null,
  lists     bytea not null,                      -- places in the chunk by key, encoded (src/trail/posting-lists.ts)
  primary key (dimension, bucket, chunk)
) with (toast_tuple_target = 8160);              -- a bitmap is 2 kB: kept in its row, and not compressible
alter table trail.posting alter column lists set storage external;
comment on table trail.posting is 'Inverted index of the entries by chunk. Goes with trail.chunk: no row of a chunk in one without those in the other.';

-- ---------------------------------------------------------------- summaries

-- Of chunks by the writer, together with their lists. Of blocks by housekeeping (0002), about 2 us of processor and 3.3 B an entry
-- in all for 400 modifiers and 12 actions that mix at random, which is the worst case. A reader counts the entries where one is missing.

create table trail.block (
  block              int4 primary key,           -- id >> 16: 65,536 entries, 4 chunks
  entries            int4 not null,
  first_committed_at timestamptz not null,       -- least and greatest: commit times may go backwards
  last_committed_at  timestamptz not null,
  modifiers          int4[] not null,            -- sorted, with their counts beside
  modifier_counts    int4[] not null,
  entity_types       int4[] not null,
  entity_type_counts int4[] not null,
  actions            int4[] not null,
  action_counts      int4[] not null,
  tenants            int4[] not null,
  tenant_counts      int4[] not null
);
comment on table trail.block is 'Summary of full blocks (and of the last block of a finished day), for facets. Derived; may be rebuilt.';

create index block_time on trail.block (last_committed_at);   -- ranges of time, however far the trail goes back

create table trail.chunk (like trail.block including comments);
alter table trail.chunk rename column block to chunk;   -- id >> 14: 16,384 entries
alter table trail.chunk add primary key (chunk);
create index chunk_time on trail.chunk (last_committed_at) include (first_committed_at, chunk);   -- which chunks a range of time touches
comment on table trail.chunk is 'Chunks that are complete, with their summary as in trail.block. What has a row here has its lists in trail.posting.';

create table trail.block_value (
  dimension          "char" not null check (dimension in ('m', 't', 'a', 'n')),   -- modifier, entity type, action, tenant
  value              int4 not null,              -- modifiers and tenants only where they have 64 entries of the block
  block              int4 not null,
  modifiers          int4[] not null,            -- of the block's entries with this value, as in trail.block
  modifier_counts    int4[] not null,
  entity_types       int4[] not null,
  entity_type_counts int4[] not null,
  actions            int4[] not null,
  action_counts      int4[] not null,
  tenants            int4[] not null,
  tenant_counts      int4[] not null,
  primary key (dimension, value, block)
);
comment on table trail.block_value is 'Summary of a block''s entries that have one value: facets under a filter. Rarer values are counted in the entries. Derived; may be rebuilt.';

-- ---------------------------------------------------------------- what the writer goes on from

create function trail.entity_hash(p_entity_id text) returns int4
language plpgsql immutable strict parallel safe set search_path = '' as $$
declare
  v_bytes bytea := substring(pg_catalog.convert_to(p_entity_id, 'UTF8') for 256);
  v_hash int8 := 2166136261;
begin
  for v_place in 0 .. pg_catalog.length(v_bytes) - 1 loop
    v_hash := ((v_hash # pg_catalog.get_byte(v_bytes, v_place)) * 16777619) & 4294967295;
  end loop;
  return (case when v_hash > 2147483647 then v_hash - 4294967296 else v_hash end)::int4;
end $$;
comment on function trail.entity_hash is 'FNV-1a of the first 256 bytes, 32 bits: the key of an entity in trail.posting (src/trail/posting-lists.ts has the same).';

create function trail.trim_chunks() returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_open int4 := (select (next_id >> 14)::int4 from trail.checkpoint);
begin
  if exists (select from trail.chunk where chunk >= v_open) then
    delete from trail.posting where chunk >= v_open;
    delete from trail.chunk where chunk >= v_open;
    delete from trail.block where block >= v_open >> 2;
    delete from trail.block_value where block >= v_open >> 2;
  end if;
end $$;
comment on function trail.trim_chunks is 'Forgets the lists of chunks that are not complete: somebody took the checkpoint back by hand, and with it entries.';

create function trail.unindexed_entries(p_above int8, p_limit int4) returns table (
  id int8, committed_at int8, modifier_id int4, entity_type_id int2, action_id int2, tenant_id int4, entity_hash int4
)
language sql stable security definer set search_path = '' as $$
  select e.id, (extract(epoch from e.committed_at - timestamptz '2000-01-01 00:00:00+00') * 1000000)::int8,
         e.modifier_id, e.entity_type_id, e.action_id, e.tenant_id, trail.entity_hash(e.entity_id)
    from trail.entry e
   where e.id > p_above and e.id >= (select coalesce(max(chunk) + 1, 0)::int8 << 14 from trail.chunk)
   order by e.id limit p_limit
$$;
comment on function trail.unindexed_entries is 'What trail.posting is made of, for entries behind the last complete chunk and above an id. The writer, who cannot read entries, goes on from it; commit times are microseconds since 2000-01-01.';

-- ---------------------------------------------------------------- the fence

create function trail.advance(
  p_source text, p_from_lsn pg_lsn, p_from_id int8, p_to_lsn pg_lsn, p_to_id int8, p_entries int8, p_committed_at timestamptz
) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_from_day int4 := (p_from_id >> 32)::int4;
begin
  if p_to_id < p_from_id or p_to_lsn < p_from_lsn then
    raise exception 'the checkpoint cannot go backwards (% to %)', p_from_lsn, p_to_lsn using errcode = 'WT002';
  end if;
  update trail.checkpoint
     set end_lsn = p_to_lsn, next_id = p_to_id, entries = entries + p_entries,
         last_committed_at = coalesce(p_committed_at, last_committed_at), updated_at = clock_timestamp()
   where source = p_source and end_lsn = p_from_lsn and next_id = p_from_id;
  if not found then
    raise exception 'another writer moved the checkpoint of source % (expected %)', p_source, p_from_lsn using errcode = 'WT001';
  end if;
  if (p_to_id >> 32)::int4 <> v_from_day and (p_from_id & 4294967295) > 0 then
    insert into trail.day (day, entries) values (v_from_day, p_from_id & 4294967295);
  end if;
end $$;
comment on function trail.advance is 'Moves the checkpoint from exactly the expected position, or raises WT001. Called in the transaction that stores the entries. A batch never spans days: its entries have the day of p_to_id.';

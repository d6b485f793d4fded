/** A way in which a published table can begin to refuse writes of the application. */
export interface RefusalCase {
  /** Completes "after …". */
  readonly name: string;
  /** Major version from which PostgreSQL refuses. In earlier versions the same migration must do no harm. */
  readonly since: number;
  readonly schemaSql: string;
  /** YAML of the tables, without the consent to new partitions. */
  readonly tables: string;
  /** What the application, or a DBA, does after `apply`. */
  readonly migration: (major: number) => string;
  /** Writes that are all refused after the migration, and work once it is corrected. */
  readonly writes: readonly string[];
  /** Canonical name of the table that refuses. */
  readonly table: string;
  readonly sqlState: '55000' | '42P10';
  /** Only a superuser may do this migration: publications of all tables, and what belongs to Waltrail. */
  readonly superuser?: true;
  /** No replica identity helps, so the table has to leave the publication. */
  readonly leaves?: true;
}

const EVENTS = `create table events (id int, x int) partition by range (id);
  create table events_1 partition of events for values from (0) to (10);
  insert into events values (1, 1)`;
const EVENT_TABLES = '{ public.events: { entity: event } }';
const ITEMS = `create table items (id int primary key, x int); insert into items values (1, 1)`;
const ITEM_TABLES = '{ public.items: { entity: item } }';
const KEYED = `create table items (id int not null, x int); create unique index items_key on items (id);
  insert into items values (1, 1)`;
const NO_IDENTITY = '55000';
const UNFIT_IDENTITY = '42P10';

/** Virtual columns came with version 18. Before it, the same words create a stored one. */
const generated = (major: number): string =>
  `int generated always as (x * 2) ${major >= 18 ? 'virtual' : 'stored'}`;

export const REFUSALS: readonly RefusalCase[] = [
  {
    name: 'a new partition of a table without primary key',
    since: 14,
    schemaSql: EVENTS,
    tables: EVENT_TABLES,
    migration: () => `create table events_2 partition of events for values from (10) to (20);
      create unique index on events_2 (id); insert into events values (11, 1)`,
    writes: [
      'update events set x = 2 where id = 11',
      'insert into events_2 values (11, 3) on conflict (id) do update set x = excluded.x',
      'delete from events where id = 11',
    ],
    table: 'public.events_2',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a new partition whose name is hostile',
    since: 14,
    schemaSql: EVENTS,
    tables: EVENT_TABLES,
    migration:
      () => `create table "ev""en.ts'; drop table events; --%I" partition of events for values from (10) to (20);
      insert into events values (11, 1)`,
    writes: ['update events set x = 2 where id = 11', 'delete from events where id = 11'],
    table: `public."ev""en.ts'; drop table events; --%I"`,
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a new partition of a table whose primary key is deferrable',
    since: 14,
    schemaSql: `create table events (id int primary key deferrable, x int) partition by range (id);
      create table events_1 partition of events for values from (0) to (10)`,
    tables: EVENT_TABLES,
    migration: () => `create table events_2 partition of events for values from (10) to (20);
      insert into events values (11, 1)`,
    writes: ['update events set x = 2 where id = 11', 'delete from events where id = 11'],
    table: 'public.events_2',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a table is attached as a partition',
    since: 14,
    schemaSql: `${EVENTS}; create table old_events (id int, x int); insert into old_events values (11, 1)`,
    tables: EVENT_TABLES,
    migration: () => 'alter table events attach partition old_events for values from (10) to (20)',
    writes: ['update old_events set x = 2', 'delete from events where id = 11'],
    table: 'public.old_events',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a table without replica identity is attached to one with a primary key',
    since: 14,
    schemaSql: `create table events (id int primary key, x int) partition by range (id);
      create table events_1 partition of events for values from (0) to (10);
      create table old_events (id int primary key, x int); alter table old_events replica identity nothing;
      insert into old_events values (11, 1)`,
    tables: EVENT_TABLES,
    migration: () => 'alter table events attach partition old_events for values from (10) to (20)',
    writes: [
      'update events set x = 2 where id = 11',
      'insert into events values (11, 3) on conflict (id) do update set x = excluded.x',
    ],
    table: 'public.old_events',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a new partition of a new partition',
    since: 14,
    schemaSql: EVENTS,
    tables: EVENT_TABLES,
    migration:
      () => `create table events_2 partition of events for values from (10) to (20) partition by list (x);
      create table events_2a partition of events_2 default; insert into events values (11, 1)`,
    writes: ['update events set x = 2 where id = 11', 'delete from events_2'],
    table: 'public.events_2a',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a tree of tables is attached',
    since: 14,
    schemaSql: `${EVENTS}; create table years (id int, x int) partition by list (x);
      create table years_1 partition of years default; insert into years values (11, 1)`,
    tables: EVENT_TABLES,
    migration: () => 'alter table events attach partition years for values from (10) to (20)',
    writes: ['update events set x = 2 where id = 11', 'delete from years'],
    table: 'public.years_1',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a partition that was unlogged is set logged',
    since: 14,
    schemaSql: `${EVENTS}; create unlogged table events_2 partition of events for values from (10) to (20);
      insert into events values (11, 1)`,
    tables: EVENT_TABLES,
    migration: () => 'alter table events_2 set logged',
    writes: ['update events set x = 2 where id = 11', 'delete from events_2'],
    table: 'public.events_2',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a partition is made by create schema',
    since: 14,
    schemaSql: EVENTS,
    tables: EVENT_TABLES,
    migration:
      () => `create schema more create table events_2 partition of public.events for values from (10) to (20);
      insert into events values (11, 1)`,
    writes: ['update events set x = 2 where id = 11'],
    table: 'more.events_2',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a new partition that foreign keys and triggers write to',
    since: 14,
    schemaSql: `create table owners (id int primary key); insert into owners values (1), (2);
      create table events (id int, owner int references owners on delete cascade) partition by range (id);
      create table events_1 partition of events for values from (0) to (10);
      create function touch() returns trigger language plpgsql as 'begin update public.events set id = id; return null; end';
      create trigger touch after update on owners for each statement execute function touch()`,
    tables: EVENT_TABLES,
    migration: () => `create table events_2 partition of events for values from (10) to (20);
      insert into events values (11, 1)`,
    writes: ['update owners set id = id', 'delete from owners where id = 1'],
    table: 'public.events_2',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a virtual generated column is added',
    since: 18,
    schemaSql: ITEMS,
    tables: ITEM_TABLES,
    migration: (major) => `alter table items add column y ${generated(major)}`,
    writes: [
      'update items set x = 2',
      'insert into items values (2, 2) on conflict (id) do update set x = excluded.x',
      `merge into items using (values (3)) s (id) on items.id = s.id
         when matched then update set x = 3 when not matched then insert values (3, 3)`,
      'delete from items where id = 3',
    ],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
  },
  {
    name: 'a virtual generated column is added to a table without primary key',
    since: 18,
    schemaSql: 'create table items (id int, x int); insert into items values (1, 1)',
    tables: ITEM_TABLES,
    migration: (major) => `alter table items add column y ${generated(major)}`,
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
    leaves: true,
  },
  {
    name: 'a virtual generated column is added to a partitioned table',
    since: 18,
    schemaSql: `create table events (id int primary key, x int) partition by range (id);
      create table events_1 partition of events for values from (0) to (10); insert into events values (1, 1)`,
    tables: EVENT_TABLES,
    migration: (major) => `alter table events add column y ${generated(major)}`,
    writes: ['update events set x = 2', 'delete from events'],
    table: 'public.events_1',
    sqlState: UNFIT_IDENTITY,
  },
  {
    name: 'the primary key is dropped that was the identity',
    since: 14,
    schemaSql: ITEMS,
    tables: ITEM_TABLES,
    migration: () =>
      'alter table items replica identity default; alter table items drop constraint items_pkey',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'the primary key is made deferrable',
    since: 14,
    schemaSql: ITEMS,
    tables: ITEM_TABLES,
    migration: () => `alter table items replica identity default;
      alter table items drop constraint items_pkey, add primary key (id) deferrable`,
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'the index is dropped that was the identity',
    since: 14,
    schemaSql: KEYED,
    tables: ITEM_TABLES,
    migration: () => 'alter table items replica identity using index items_key; drop index items_key',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'a column of that index is dropped',
    since: 14,
    schemaSql: KEYED,
    tables: ITEM_TABLES,
    migration: () =>
      'alter table items replica identity using index items_key; alter table items drop column id',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: NO_IDENTITY,
  },
  {
    name: "that column's type is dropped",
    since: 14,
    schemaSql: `create domain code as int; create table items (id code not null, x int);
      create unique index items_key on items (id); insert into items values (1, 1)`,
    tables: ITEM_TABLES,
    migration: () => 'alter table items replica identity using index items_key; drop domain code cascade',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'the replica identity is taken away',
    since: 14,
    schemaSql: ITEMS,
    tables: ITEM_TABLES,
    migration: () => 'alter table items replica identity nothing',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: NO_IDENTITY,
  },
  {
    name: 'another publication holds only some of the columns',
    since: 15,
    schemaSql: ITEMS,
    tables: ITEM_TABLES,
    migration: () => 'create publication other for table items (id)',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
  },
  {
    name: 'another publication holds only some of the columns of a partitioned table',
    since: 15,
    schemaSql: `create table events (x int, id int primary key) partition by range (id);
      create table events_1 (id int primary key, x int); alter table events attach partition events_1 default;
      insert into events values (1, 1)`,
    tables: EVENT_TABLES,
    migration: () =>
      'create publication other for table events (id) with (publish_via_partition_root = true)',
    writes: ['update events set x = 2', 'delete from events_1'],
    table: 'public.events_1',
    sqlState: UNFIT_IDENTITY,
  },
  {
    name: 'another publication holds rows by a column outside of the key',
    since: 15,
    schemaSql: ITEMS,
    tables: ITEM_TABLES,
    migration: () =>
      'alter table items replica identity default; create publication other for table items where (x > 0)',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
  },
  {
    name: 'another publication hides the stored generated columns',
    since: 18,
    schemaSql: `create table items (id int primary key, x int, y int generated always as (x * 2) stored);
      insert into items values (1, 1)`,
    tables: ITEM_TABLES,
    migration: () => 'create publication other for all tables',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
    superuser: true,
  },
  {
    name: 'a stored generated column is added that another publication hides',
    since: 18,
    schemaSql: `${ITEMS}; create publication other for all tables`,
    tables: ITEM_TABLES,
    migration: () => 'alter table items add column y int generated always as (x * 2) stored',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
  },
  {
    name: 'another publication holds the key, but not what its index includes',
    since: 15,
    schemaSql: `create table items (id int, x int, y int, primary key (id) include (x)); insert into items values (1, 1)`,
    tables: ITEM_TABLES,
    migration: () => 'create publication other for table items (id, y)',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
  },
  {
    name: "somebody narrows Waltrail's own publication",
    since: 15,
    schemaSql: ITEMS,
    tables: ITEM_TABLES,
    migration: () => 'alter publication waltrail set table items (id)',
    writes: ['update items set x = 2', 'delete from items'],
    table: 'public.items',
    sqlState: UNFIT_IDENTITY,
    superuser: true,
  },
];

/**
 * What PostgreSQL never refuses, whatever is published with whatever identity. Each case is kept because it
 * was suspected.
 */
export const HARMLESS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'types without equality',
    sql: `alter table items add column j json, add column p point, add column d xml;
      update items set j = '{}', p = '(1,1)', d = '<a/>'; alter table items alter column x type json using '1'::json;
      update items set x = '2'; delete from items`,
  },
  {
    name: 'another primary key, another type of the key and an index that is built again',
    sql: `alter table items alter column id type bigint; update items set x = 2;
      alter table items drop constraint items_pkey, add primary key (id, x); update items set x = 3; delete from items`,
  },
  {
    name: 'tables made like it, of it or under it',
    sql: `create table alike (like items including all); create table copied as select * from items;
      create table child (z int) inherits (items); insert into child values (2, 2, 2); update items set x = 5;
      update child set z = 3; update copied set x = 2; delete from child`,
  },
  {
    name: 'temporary and unlogged tables',
    sql: `create temporary table t (id int); insert into t values (1); update t set id = 2;
      create unlogged table u (id int); insert into u values (1); update u set id = 2`,
  },
  { name: 'row locks and truncation', sql: `select * from items for update; truncate items` },
];

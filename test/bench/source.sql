-- The source of the benches: a CRM's busiest tables, and loads that change them. Values are the same in every run.

create schema bench;

create table public.agents (                        -- who changes rows; Waltrail's modifiers
  id   int4 primary key,
  name text not null
);

create table public.customers (
  id              int8 primary key,
  organization_id int4 not null,                    -- the tenant
  name            text not null,
  email           text,
  phone           text,
  status          text not null,
  balance         numeric(12, 2) not null,
  is_active       boolean not null,
  attributes      jsonb not null,
  notes           text,
  updated_by      int4 not null,
  created_at      timestamptz not null,
  updated_at      timestamptz not null
);

create table public.conversations (
  id              int8 primary key,
  organization_id int4 not null,
  customer_id     int8 not null,
  channel         text not null,
  subject         text not null,
  state           text not null,
  unread          int4 not null,
  priority        int2 not null,
  meta            jsonb not null,
  updated_by      int4 not null,
  opened_at       timestamptz not null,
  updated_at      timestamptz not null
);

create table public.settings (
  id         int4 primary key,
  key        text not null,
  value      jsonb not null,
  updated_by int4 not null,
  updated_at timestamptz not null
);

create table public.documents (                     -- rows whose body lies outside of the table (TOAST)
  id              int8 primary key,
  organization_id int4 not null,
  title           text not null,
  state           text not null,
  body            text not null,
  updated_by      int4 not null,
  updated_at      timestamptz not null
);

-- Rows that loads add have ids from here on. The small transactions delete only those.
create sequence bench.customer start 1000000001;
create sequence bench.customer_doomed start 1000000001;
create sequence bench.conversation start 1000000001;
create sequence bench.conversation_doomed start 1000000001;

create function bench.make_customers(p_first int8, p_count int8) returns void language sql as $$
  insert into public.customers
  select n, 1 + n % 20, 'Customer Name ' || n, 'customer' || n || '@example.com', '+1555' || lpad(n::text, 7, '0'), 'active',
         (n % 100000) / 7.0, true,
         jsonb_build_object('tier', (array['gold', 'silver', 'bronze'])[1 + n % 3], 'source', 'web-form',
           'tags', jsonb_build_array('tag' || n % 10, 'vip'),
           'address', jsonb_build_object('street', n || ' Main St', 'city', 'Springfield', 'zip', 10000 + n % 80000),
           'consent', true, 'score', (n % 1000) / 10.0, 'ref', md5(n::text)),
         'Some note about the customer, number ' || n || '. Prefers e-mail.', 1 + n % 1000, clock_timestamp(), clock_timestamp()
    from generate_series(p_first, p_first + p_count - 1) n
$$;

create function bench.make_conversations(p_first int8, p_count int8) returns void language sql as $$
  insert into public.conversations
  select n, 1 + n % 20, n, 'email', 'Subject of conversation ' || n, 'open', n % 5, n % 4,
         jsonb_build_object('lang', 'en', 'labels', jsonb_build_array('billing', 'urgent'), 'ip', '10.0.0.' || n % 255),
         1 + n % 1000, clock_timestamp(), clock_timestamp()
    from generate_series(p_first, p_first + p_count - 1) n
$$;

-- Creates customers 1 to p_customers, and one conversation for every five customers.
create procedure bench.seed(p_customers int8) language plpgsql as $$
begin
  insert into public.agents select n, 'Agent ' || n from generate_series(1, 1000) n;
  perform bench.make_customers(1, p_customers);
  perform bench.make_conversations(1, p_customers / 5);
  insert into public.settings
  select n, 'setting.key.' || n, jsonb_build_object('enabled', true, 'limit', n), 1, clock_timestamp() from generate_series(1, 500) n;
end $$;

-- One change: 60% update, 25% insert, 15% delete, of three tables.
create function bench.change(p_customers int8, p_agent int4) returns void language plpgsql as $$
declare
  v_kind  float8 := random();
  v_table float8 := random();
  v_place float8 := random();
  v_id    int8;             -- never random() or nextval() in a condition: volatile, they would be evaluated for every row
begin
  if v_kind < 0.60 then
    if v_table < 0.70 then
      v_id := 1 + floor(v_place * p_customers);
      update public.customers
         set status = case status when 'active' then 'paused' else 'active' end, balance = balance + 1.25,
             updated_by = p_agent, updated_at = clock_timestamp()
       where id = v_id;
    elsif v_table < 0.97 then
      v_id := 1 + floor(v_place * (p_customers / 5));
      update public.conversations
         set unread = unread + 1, state = case state when 'open' then 'pending' else 'open' end,
             updated_by = p_agent, updated_at = clock_timestamp()
       where id = v_id;
    else
      v_id := 1 + floor(v_place * 500);
      update public.settings
         set value = jsonb_set(value, '{limit}', to_jsonb((value ->> 'limit')::int8 + 1)),
             updated_by = p_agent, updated_at = clock_timestamp()
       where id = v_id;
    end if;
    return;
  end if;
  if v_kind >= 0.85 then
    if v_table < 0.70 then
      v_id := nextval('bench.customer_doomed');
      delete from public.customers where id = v_id;
    else
      v_id := nextval('bench.conversation_doomed');
      delete from public.conversations where id = v_id;
    end if;
    -- No added row is left to delete. Add one instead, so that every call makes one change.
    if found then return; end if;
  end if;
  if v_table < 0.70 then
    perform bench.make_customers(nextval('bench.customer'), 1);
  else
    perform bench.make_conversations(nextval('bench.conversation'), 1);
  end if;
end $$;

-- Exactly p_changes changes in transactions of 1 to 5, as fast as one connection can.
create procedure bench.small_transactions(p_customers int8, p_changes int8) language plpgsql as $$
declare
  v_left  int8 := p_changes;
  v_agent int4;
begin
  perform setseed(0.42);
  while v_left > 0 loop
    v_agent := 1 + floor(random() * 1000)::int4;
    for i in 1 .. least(v_left, 1 + floor(random() * 5)::int8) loop
      perform bench.change(p_customers, v_agent);
      v_left := v_left - 1;
    end loop;
    commit;
  end loop;
end $$;

create unlogged table bench.committed (             -- when the commits of paced transactions had returned
  xid         xid not null,
  returned_at timestamptz not null
);

-- The same transactions at a rate, for a time: 3 changes each on average.
create procedure bench.paced_transactions(p_customers int8, p_per_second float8, p_seconds float8, p_seed float8) language plpgsql as $$
declare
  v_start   timestamptz := clock_timestamp();
  v_done    int8 := 0;
  v_early_s float8;
  v_agent   int4;
  v_xids    xid[] := '{}';
  v_returns timestamptz[] := '{}';
begin
  perform setseed(p_seed);
  while v_done < p_per_second * p_seconds loop
    v_early_s := v_done / p_per_second - extract(epoch from clock_timestamp() - v_start);
    -- A load that cannot keep the pace ends late, but it ends.
    exit when v_early_s < -p_seconds;
    if v_early_s > 0 then perform pg_sleep(v_early_s); end if;
    v_agent := 1 + floor(random() * 1000)::int4;
    for i in 1 .. 1 + floor(random() * 5)::int4 loop
      perform bench.change(p_customers, v_agent);
    end loop;
    v_xids := v_xids || pg_current_xact_id()::xid;
    commit;
    v_returns := v_returns || clock_timestamp();
    v_done := v_done + 1;
  end loop;
  insert into bench.committed select * from unnest(v_xids, v_returns);
end $$;

-- Bodies of 10,000 characters: of words that compress to less than half, or of random letters that do not.
create table bench.body (
  n             int4,
  is_compressed boolean,
  body          text not null,
  primary key (is_compressed, n)
);

create procedure bench.make_bodies() language sql as $$
  insert into bench.body
  select n, false, left(translate(encode(string_agg(decode(md5(n || ' ' || m), 'hex'), ''), 'base64'), e'\n', ''), 10000)
    from generate_series(0, 99) n, generate_series(1, 470) m group by n;
  insert into bench.body
  select n, true, left(string_agg(substr(md5((hashint8(n * 10000 + m) % 200)::text), 1, 5 + m % 7), ' '), 10000)
    from generate_series(0, 99) n, generate_series(1, 1300) m group by n;
$$;

-- Three changes of each of p_rows rows: added, changed but for the body, changed in the body.
create procedure bench.document_changes(p_first int8, p_rows int8, p_rows_per_transaction int8, p_is_compressed boolean)
language plpgsql as $$
declare
  v_id   int8 := p_first;
  v_last int8;
begin
  while v_id < p_first + p_rows loop
    v_last := least(v_id + p_rows_per_transaction, p_first + p_rows) - 1;
    insert into public.documents
    select id, 1 + id % 20, 'Document ' || id, 'draft', b.body, 1 + id % 1000, clock_timestamp()
      from generate_series(v_id, v_last) id join bench.body b on b.n = id % 100 and b.is_compressed = p_is_compressed;
    update public.documents set state = 'final', updated_at = clock_timestamp() where id between v_id and v_last;
    update public.documents d set body = b.body, updated_at = clock_timestamp()
      from bench.body b where d.id between v_id and v_last and b.n = (d.id + 1) % 100 and b.is_compressed = p_is_compressed;
    commit;
    v_id := v_last + 1;
  end loop;
end $$;

-- One transaction of p_changes changes in the same mixture. It updates or deletes the customers from 1 to three quarters of it.
create procedure bench.one_transaction(p_changes int8) language plpgsql as $$
declare
  v_updates int8 := p_changes * 60 / 100;
  v_inserts int8 := p_changes * 25 / 100;
  v_deletes int8 := p_changes - v_updates - v_inserts;
begin
  update public.customers
     set status = case status when 'active' then 'paused' else 'active' end, balance = balance + 1.25,
         updated_by = 1 + id % 1000, updated_at = clock_timestamp()
   where id <= v_updates;
  perform bench.make_customers(2000000001, v_inserts);
  delete from public.customers where id > v_updates and id <= v_updates + v_deletes;
end $$;

/*
 * Pagila (a film rental shop), with payments in partitions: every table and column with its type, default,
 * nullability and keys, its domain, enum, triggers and views, as pagila-schema.sql of
 * github.com/devrimgunduz/pagila names them. The text is Waltrail's own; functions and views do the same in
 * other words. Functions and views for reports, and indexes that are not keys, are left out.
 *
 * The table of payments has no foreign keys, but six of its seven partitions have.
 */

create type mpaa_rating as enum ('G', 'PG', 'PG-13', 'R', 'NC-17');
create domain year as integer check (value between 1901 and 2155);

create function last_updated() returns trigger language plpgsql as $$
begin
  new.last_update := now();
  return new;
end $$;

create table actor (
  actor_id serial primary key,
  first_name text not null,
  last_name text not null,
  last_update timestamptz not null default now()
);

create table category (
  category_id serial primary key,
  name text not null,
  last_update timestamptz not null default now()
);

create table language (
  language_id serial primary key,
  name character(20) not null,
  last_update timestamptz not null default now()
);

create table film (
  film_id serial primary key,
  title text not null,
  description text,
  release_year year,
  language_id integer not null references language on update cascade on delete restrict,
  original_language_id integer references language on update cascade on delete restrict,
  rental_duration smallint not null default 3,
  rental_rate numeric(4, 2) not null default 4.99,
  length smallint,
  replacement_cost numeric(5, 2) not null default 19.99,
  rating mpaa_rating default 'G',
  last_update timestamptz not null default now(),
  special_features text[],
  fulltext tsvector not null
);

create table film_actor (
  actor_id integer not null references actor on update cascade on delete restrict,
  film_id integer not null references film on update cascade on delete restrict,
  last_update timestamptz not null default now(),
  primary key (actor_id, film_id)
);

create table film_category (
  film_id integer not null references film on update cascade on delete restrict,
  category_id integer not null references category on update cascade on delete restrict,
  last_update timestamptz not null default now(),
  primary key (film_id, category_id)
);

create table country (
  country_id serial primary key,
  country text not null,
  last_update timestamptz not null default now()
);

create table city (
  city_id serial primary key,
  city text not null,
  country_id integer not null references country on update cascade on delete restrict,
  last_update timestamptz not null default now()
);

create table address (
  address_id serial primary key,
  address text not null,
  address2 text,
  district text not null,
  city_id integer not null references city on update cascade on delete restrict,
  postal_code text,
  phone text not null,
  last_update timestamptz not null default now()
);

-- Staff and stores refer to each other; only one direction is a foreign key.
create table store (
  store_id serial primary key,
  manager_staff_id integer not null,
  address_id integer not null references address on update cascade on delete restrict,
  last_update timestamptz not null default now()
);
create unique index on store (manager_staff_id);

create table staff (
  staff_id serial primary key,
  first_name text not null,
  last_name text not null,
  address_id integer not null references address on update cascade on delete restrict,
  email text,
  store_id integer not null references store,
  active boolean not null default true,
  username text not null,
  password text,
  last_update timestamptz not null default now(),
  picture bytea
);

create table customer (
  customer_id serial primary key,
  store_id integer not null references store on update cascade on delete restrict,
  first_name text not null,
  last_name text not null,
  email text,
  address_id integer not null references address on update cascade on delete restrict,
  activebool boolean not null default true,
  create_date date not null default current_date,
  last_update timestamptz default now(),
  active integer
);

create table inventory (
  inventory_id serial primary key,
  film_id integer not null references film on update cascade on delete restrict,
  store_id integer not null references store on update cascade on delete restrict,
  last_update timestamptz not null default now()
);

create table rental (
  rental_id serial primary key,
  rental_date timestamptz not null,
  inventory_id integer not null references inventory on update cascade on delete restrict,
  customer_id integer not null references customer on update cascade on delete restrict,
  return_date timestamptz,
  staff_id integer not null references staff on update cascade on delete restrict,
  last_update timestamptz not null default now()
);
create unique index on rental (rental_date, inventory_id, customer_id);

create table payment (
  payment_id serial,
  customer_id integer not null,
  staff_id integer not null,
  rental_id integer not null,
  amount numeric(5, 2) not null,
  payment_date timestamptz not null,
  primary key (payment_date, payment_id)
) partition by range (payment_date);

create table payment_p2022_01 partition of payment (
  foreign key (customer_id) references customer,
  foreign key (staff_id) references staff,
  foreign key (rental_id) references rental
) for values from ('2022-01-01 00:00+00') to ('2022-02-01 00:00+00');
create table payment_p2022_02 partition of payment (
  foreign key (customer_id) references customer,
  foreign key (staff_id) references staff,
  foreign key (rental_id) references rental
) for values from ('2022-02-01 00:00+00') to ('2022-03-01 00:00+00');
create table payment_p2022_03 partition of payment (
  foreign key (customer_id) references customer,
  foreign key (staff_id) references staff,
  foreign key (rental_id) references rental
) for values from ('2022-03-01 00:00+00') to ('2022-04-01 00:00+00');
create table payment_p2022_04 partition of payment (
  foreign key (customer_id) references customer,
  foreign key (staff_id) references staff,
  foreign key (rental_id) references rental
) for values from ('2022-04-01 00:00+00') to ('2022-05-01 00:00+00');
create table payment_p2022_05 partition of payment (
  foreign key (customer_id) references customer,
  foreign key (staff_id) references staff,
  foreign key (rental_id) references rental
) for values from ('2022-05-01 00:00+00') to ('2022-06-01 00:00+00');
create table payment_p2022_06 partition of payment (
  foreign key (customer_id) references customer,
  foreign key (staff_id) references staff,
  foreign key (rental_id) references rental
) for values from ('2022-06-01 00:00+00') to ('2022-07-01 00:00+00');
create table payment_p2022_07 partition of payment
  for values from ('2022-07-01 00:00+00') to ('2022-08-01 00:00+00');

create trigger film_fulltext_trigger before insert or update on film for each row
  execute function tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title', 'description');

do $$
declare
  updated text;
begin
  foreach updated in array array['actor', 'address', 'category', 'city', 'country', 'customer', 'film', 'film_actor',
    'film_category', 'inventory', 'language', 'rental', 'staff', 'store']
  loop
    execute format(
      'create trigger last_updated before update on %I for each row execute function last_updated()', updated);
  end loop;
end $$;

create view customer_list as
  select customer_id as id, first_name || ' ' || last_name as name, address, postal_code as "zip code", phone, city,
    country, case when activebool then 'active' else '' end as notes, store_id as sid
  from customer join address using (address_id) join city using (city_id) join country using (country_id);

create view staff_list as
  select staff_id as id, first_name || ' ' || last_name as name, address, postal_code as "zip code", phone, city,
    country, store_id as sid
  from staff join address using (address_id) join city using (city_id) join country using (country_id);

create view film_list as
  select film_id as fid, title, film.description, category.name as category, rental_rate as price, length, rating,
    string_agg(first_name || ' ' || last_name, ', ') as actors
  from film join film_category using (film_id) join category using (category_id)
    join film_actor using (film_id) join actor using (actor_id)
  group by film_id, category.name;

create view sales_by_store as
  select city || ',' || country as store, first_name || ' ' || last_name as manager, sum(amount) as total_sales
  from payment join rental using (rental_id) join inventory using (inventory_id) join store using (store_id)
    join address using (address_id) join city using (city_id) join country using (country_id)
    join staff on staff.staff_id = store.manager_staff_id
  group by store.store_id, city, country, first_name, last_name;

create view sales_by_film_category as
  select category.name as category, sum(amount) as total_sales
  from payment join rental using (rental_id) join inventory using (inventory_id) join film_category using (film_id)
    join category using (category_id)
  group by category.name;

create materialized view rental_by_category as
  select category, total_sales from sales_by_film_category
  with no data;
create unique index on rental_by_category (category);

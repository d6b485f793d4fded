-- What stands for a value that was too large to be stored, in words (src/trail/values.ts: ESC L, length, space, SHA-256).

create or replace function trail.readable_field(p_field text) returns text
language sql immutable set search_path = '' as $$
  -- The encoding of src/trail/values.ts: ESC N is null, ESC U was not sent, ESC X is hexadecimal, ESC L was too large to be
  -- stored, ESC [ and ESC _ are the bytes 0x1B and 0x1F.
  select case
    when p_field = e'\x1bN' then null
    when left(p_field, 2) = e'\x1bX' then '\x' || substr(p_field, 3)
    when left(p_field, 2) = e'\x1bL'
      then '(too large to be stored: ' || split_part(substr(p_field, 3), ' ', 1) || ' bytes, SHA-256 ' || split_part(p_field, ' ', 2) || ')'
    else replace(replace(p_field, e'\x1b_', e'\x1f'), e'\x1b[', e'\x1b')
  end
$$;

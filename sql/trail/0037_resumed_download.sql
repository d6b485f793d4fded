-- A download in part: the status is 206, and "delivered" says which bytes.

comment on column trail.access.delivered is 'Of a live stream: entries, and the ids after and up to which. Of a download in part: bytes, the first of them, and of how many. Null: all that was asked for.';

"""From the text of a value, as Postgres writes it, to the JSON that `to_jsonb` gives. No I/O."""

"""What is well or wrong with a Postgres database as a source: facts are read, then judged. Changes nothing."""

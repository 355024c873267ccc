"""SQL statements of the instance's database, as functions of a connection."""

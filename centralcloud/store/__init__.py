"""SQL statements of the central database, as functions of a connection."""

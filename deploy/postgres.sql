-- The databases and roles that `flocklore provision` wrote down; the server runs this once, when its volume is empty.
\i /run/secrets/databases.sql

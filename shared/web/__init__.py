"""HTTP for both daemons: a table of endpoints becomes an application, which a server serves in the daemon's loop."""

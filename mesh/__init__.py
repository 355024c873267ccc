"""The local mesh: servers, daemons and the root of the command line."""

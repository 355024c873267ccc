"""What `flocklore doctor` looks at: this machine, NATS, PostgreSQL, the hub."""

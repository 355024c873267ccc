"""Who may say what on NATS: identities, what the server lets each do, and the files that tell it so."""

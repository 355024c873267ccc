"""One language a module: what its files need, read from their tokens, and where in the repository that lies."""

"""Wire contracts: what crosses the bus, and nothing else."""

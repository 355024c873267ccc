"""The hub's side of regions: what its delegate asks and tells, and which tenants it may hold."""

"""The merge: a pure function of observations."""

"""Named learners: each takes a workspace and returns observations."""

"""From envelopes to observations, nothing lost and nothing twice."""

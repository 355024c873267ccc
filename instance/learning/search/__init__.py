"""Finding code by words and by meaning: chunks, their ranking, and an optional sentence model."""

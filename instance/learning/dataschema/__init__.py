"""Tables, columns, keys and indexes as the repository itself declares them: migrations replayed, models merged in."""

"""One reader per way of declaring a table; each returns the changes of one file."""

"""Moving a database of ours from one PostgreSQL server to another, and proof that every row arrived."""

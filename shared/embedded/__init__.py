"""NATS and PostgreSQL out of the installed wheels, for machines that bring neither."""

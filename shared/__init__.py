"""What both daemons are made of."""

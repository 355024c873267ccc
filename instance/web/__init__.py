"""What an instance shows over HTTP to programs of its machine, and what it takes in from them."""

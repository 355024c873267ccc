"""How libraries are called: the calls of each function, and the sequences that recur."""

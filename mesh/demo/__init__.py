"""The demonstration: the whole story on real servers and real code, with numbers that can fail."""

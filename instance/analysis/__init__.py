"""From a directory to parsed files: walk, filter, parse. Pure."""

"""How a codebase is built: its import graph, layers, entry points, services and styles. Pure."""

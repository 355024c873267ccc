"""The delegate: an instance whose codebase is a region, between the region's centralcloud and the one above it."""

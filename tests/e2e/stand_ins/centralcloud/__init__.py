"""In place of the real package."""

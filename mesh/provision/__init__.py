"""The secrets of a whole deployment: made once, each part's own handed to it in a directory of its own."""

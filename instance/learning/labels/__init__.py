"""Whether what a job did was right, told by what became of it; and what that says of models."""

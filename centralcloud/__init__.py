"""The hub: merges what all instances learned and gives it back."""

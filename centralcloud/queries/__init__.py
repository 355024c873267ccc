"""Answers to what instances ask."""

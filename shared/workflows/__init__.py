"""Workflows: a graph of steps, each task of which is a job of the queue."""

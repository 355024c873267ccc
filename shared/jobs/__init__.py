"""The job queue: `oban_jobs` and the workers that share a database."""

"""Results of jobs from files and commands: what was written down elsewhere becomes rows of `job_results`."""

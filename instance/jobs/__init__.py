"""What an instance does as jobs and workflows."""

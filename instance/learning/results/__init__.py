"""From results of jobs to the sums of them that leave the machine."""

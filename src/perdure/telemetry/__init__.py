"""What is noticed: logs (and later metrics and traces), as subscribers to the signals and nothing else."""

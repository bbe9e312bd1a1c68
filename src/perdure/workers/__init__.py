"""What runs: loops that claim, act, conclude and save, for jobs and for deliveries alike."""

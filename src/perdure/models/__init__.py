"""What is true of jobs and deliveries: pure values and rules. No I/O, no framework; time is passed in."""

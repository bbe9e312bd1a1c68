"""The verbs of the platform: what can be done to jobs, whoever asks. A closed list."""

"""Chaos: real processes under faults, and an oracle that says whether anything was lost. Run it with ``make chaos``."""

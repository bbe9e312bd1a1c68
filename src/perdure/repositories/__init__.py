"""Rows to truth and back. All SQL of the house stands in this room; each statement is named for its promise."""

"""Seeded mutants: the platform with one promise broken on purpose, each of which the tests must notice.

A green test proves nothing until it has been seen red. A fence that was taken away passed, in trials, whole hours of
chaos; so whoever changes a test of the engine asks `make mutants` whether it still sees.
"""

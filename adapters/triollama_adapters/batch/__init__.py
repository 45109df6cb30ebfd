"""Batch jobs: many rows through a fleet, each answered once."""

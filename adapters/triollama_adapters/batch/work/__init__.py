"""Rows through the engine: which is asked when, and what is done with its outcome."""

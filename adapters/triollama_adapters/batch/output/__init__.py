"""Outcomes into the lines of an output."""

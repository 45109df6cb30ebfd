"""Inputs of a batch: files into rows, and rows into requests."""

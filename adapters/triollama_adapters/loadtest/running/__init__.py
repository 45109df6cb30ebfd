"""A plan -> a result, in one process or many."""

"""The surfaces of other clients on this engine, so that changing an import is enough."""

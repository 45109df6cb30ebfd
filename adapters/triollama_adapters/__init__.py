"""What connects the engine to the outside: simulator, command line, and later the gateway."""

"""A load server that costs little: bare epoll, precomputed bytes, a schedule of its own.

It speaks just enough HTTP/1.1 for the clients here. For an Ollama server that behaves, see the
simulator in ``triollama_adapters``; this one is for load, and must never be the bottleneck.
"""

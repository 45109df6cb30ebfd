"""A load server that costs little: bare epoll, precomputed bytes, a schedule of its own.

It speaks just enough HTTP/1.1 for the clients here: Ollama's ``/api/chat`` as NDJSON, and OpenAI's
``/v1/chat/completions`` as server-sent events. For an Ollama server that behaves, see the simulator
in ``triollama_adapters``; this one is for load, and must never be the bottleneck.

At its end it reports what it sent and what that cost it, by how much it missed its schedule
(`report.Lateness`), and when it saw the client close its streams (`report.Closings`). So a figure
about time can be told from the server's own error.
"""

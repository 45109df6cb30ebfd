"""Bytes: HTTP/1.1, NDJSON, sockets, and the transport the engine speaks through.

Who may import whom, downwards only::

    transport  ->  connection_set  ->  reactor, task_connection  ->  exchange  ->  http1, flow
    ndjson, failures, tls and dialing stand alone

Nothing here knows Ollama, endpoints or leases. Failures leave as ``httpx`` exceptions, because
every transport that the engine can be given raises those; `failures.translate` turns them into
ours.
"""

"""The actors: supervisor, endpoint pool, health prober, rate limiter, streams, watchdog, facts.

Each owns one piece of state that nobody else touches. Decisions stand in cores without IO
(`core.py`: message and time in, effects out); the tasks around them are thin.

Who may import whom, downwards only::

    health          asks endpoints as a stream does, and tells the pool
    streams         workers, watchdog, and what becomes of a request
    pool, limits    leases; rates
    facts           what happened
    mailbox, supervisor, connections

Actors use ``triollama.api`` and ``triollama.wire``; neither of those knows an actor.
"""

"""The actors: supervisor, endpoint pool, streams, watchdog.

Each owns one piece of state that nobody else touches. Decisions stand in cores without IO
(`core.py`: message and time in, effects out); the tasks around them are thin.

Who may import whom, downwards only::

    streams  ->  pool  ->  mailbox, supervisor

Actors use ``triollama.api`` and ``triollama.wire``; neither of those knows an actor.
"""

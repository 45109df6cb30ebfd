"""Whom the load is for: one turn of a session asked of one server becomes one `Sample`.

`open_target` gives an `Asker`; `preflight` finds out beforehand what there is. Who may import whom,
downwards only::

    preflight, calibrate   what is found out before the load
    open                   an asker, for the time of a block
    direct, pooled         ask over connections of our own | through the engine's pool
    reading, foreign       what comes of a request, from a connection | from another transport
    watch, record          the clocks of what is under way; what becomes a sample
    verdicts               what went wrong, as an outcome
    bodies, answer_sinks   requests as bytes | answers from bytes, with their stamps
    answer_lines, heard    what a line says | what came of one answer, and when
    asker, clock, facts    the interface and plain values
"""

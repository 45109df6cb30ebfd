"""Whom the load is for: one turn of a session asked of one server becomes one `Sample`.

`open_target` gives an `Asker`; `preflight` finds out beforehand what there is. Who may import whom,
downwards only::

    open, preflight      what the generator calls; what is found out before the load
    direct, pooled       ask over connections of our own | through the engine's pool
    bodies, sinks        requests as bytes | answers from bytes, with their stamps
    asker, clock, facts  plain values and the interface
"""

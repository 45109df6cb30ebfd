"""The load tester: what an Ollama deployment does under a load, and how sure one may be of it.

Who may import whom, from the bottom up; nothing below imports what is above it::

    plan, sessions, sample, result     plain values that cross processes and files
    arrivals/   workload/              when requests begin, and what they ask: pure
    measures/                          samples -> figures: pure
    targets/                           one turn against one server -> one sample
    running/                           a plan -> a result, in one process or many
    search/                            sweep, capacity, discover, compare
    report/                            a result -> a page, tables, text

``../cli/_load*.py`` is the command line of it all.
"""

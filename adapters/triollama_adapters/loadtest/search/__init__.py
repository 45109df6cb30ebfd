"""Several runs that answer one question: where is the knee, the capacity, the difference.

Who may import whom, from the bottom up::

    found                             what is found, as plain values
    steps, trend, questions           the plan of a step; whether numbers rise; questions: pure
    knees, slots, speeds              figures of runs and of samples: pure
    saturation, evidence              whether a queue grows; what requests say of a limit: pure
    judging, decide, pooling          the verdict on a run; what to run next; runs as one: pure
    runs, probe                       how a run happens, and ends early; how an endpoint is asked
    capacity, sweep, ab, policies,    the searches: each has runs happen through a function, or asks
    discover                          through a probe, that is given to it
"""

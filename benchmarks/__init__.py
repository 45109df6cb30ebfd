"""Side by side: this engine, the bare floor, and the clients that people use today.

``python -m benchmarks`` prints one table and writes ``benchmarks/results/latest.json``.

How a figure is made. A *question* (one file each, named in ``__main__.QUESTIONS``) declares
comparisons as data. For each repetition, and within it for each contender in turn
(A B C A B C …), `harness` starts a fresh `load_server` process and a fresh client process. The
client opens everything, lets it settle, and reads its own CPU time (user + system) at both ends of
a window; the server says what it sent in that window and how busy it was. A ratio is taken within a
repetition, so that a machine that slows down slows both sides; the row is the median of the ratios.

Other questions have no second side, such as what a reader waits when a server is killed. Such a
*trial* (`trial`, and one file each in `trials`) is one process that makes its own load and prints
its figures, and in its faults whatever shows that the load was not the one that its rows name. Each
repetition is a fresh process with another seed.

The load's grain is part of what is measured: see `plan.TICK_S`, and the row ``apart-200`` for what
changes when every chunk comes alone.

To add a client, write ``clients/NAME.py`` with those functions of `clients.TASKS` that make sense
for it, each ``(Plan) -> Measurement``. Count what arrived in a `measure.Tally`, take the window
with a `measure.Meter`, and add the name to ``clients.NAMES``.

To add a row, add a `questions.Row` to a comparison in the question's file, or write a new file with
a ``COMPARISONS`` tuple and add it to ``__main__.QUESTIONS``. To add a trial, write
``trials/NAME.py`` with a ``TRIAL`` and ``run(seed)``, and add the name to ``trials.NAMES``.
"""

"""Samples -> figures. Pure, but for `storage` and `samples_file`, which read and write files.

Who may import whom, from the bottom up::

    histograms, shares, spans     numbers: percentiles, proportions, the durations of one sample
    objectives, reasons           the grammar of objectives, and holding requests against them
    cell, series, busy            what is counted: by endpoint and scenario, over time, the client
    tally                         all of it; merges, crosses processes
    ledger, verdict, conclude     a tally -> a `Result`
    likeness                      a result -> how much its requests tell
    bootstrap, differences,       two results, or pairs of windows -> what differs
    compare, pairs
    storage, figures_csv,         results and samples <-> files
    samples_file
"""

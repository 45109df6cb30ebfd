"""Batches over more than one machine, with Ray (the extra ``ray``).

One process, the driver, reads the input, keeps the ledger and writes the output; workers, which are
Ray actors with an engine each, only ask. So whatever worker or machine dies, nothing is lost or
doubled: what it held is asked again elsewhere, and only the driver commits.

Layers, top to bottom; each module imports only from below:
`batch`, `stage` → `crew` → `keeper` → `member` → `worker` → `session`, `loop_thread`, `packing`,
`board`, `fleet`, `rates`, `sight`, `calls` → `errors`.
"""

"""Several processes on one machine: a supervisor, and workers that serve (docs/adr/0014).

`supervisor` owns the addresses and starts the workers; `child` is what a worker runs, in its `seat`.
"""

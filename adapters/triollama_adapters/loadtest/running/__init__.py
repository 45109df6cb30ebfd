"""A plan -> a result, in one process or many.

Who may import whom, downwards only::

    ray_machines, under_faults          a run over machines | with faults meanwhile
    run                                 a run: `run_load`
    processes, ray_links                many processes: of this machine | of a cluster
    crew                                all workers: ready, begun at once, heard, merged
    worker, ray_hand                    one worker's process, on pipes | on Ray
    hand                                one worker's work
    generate                            the load of one process
    pipes, links, frames, merged        how workers are told and heard
    causing, strikers, commands         faults are caused, on simulated servers and on real ones
    faults, readers                     what fails when, what readers saw
    asking, shaping, looks, lag, ...    the parts of `generate`
"""

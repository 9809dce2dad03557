"""The local backend: a pipeline's steps as processes of this machine, recorded under .azml.

    runner        run_pipeline, from the plan to the record
    scheduler     the steps in parallel, each when those before it have completed
    attempt       one step: what it depends on, its process, what it leaves behind
    preparation   snapshots and earlier results, settled before anything starts
    forecast      what a run would do, without running anything
    fingerprint, results, content    when an earlier result stands in for a step
    processes, forkserver/           how processes are started and ended
    destinations  what becomes of finished output folders
    registration, virtual_environment, tables   what registering means on this machine
    record, runs, outcome            what is known of a run afterwards
    events, progress                 what is shown while it goes on

Nothing is imported here, so that looking at a run does not cost what running one does.
"""

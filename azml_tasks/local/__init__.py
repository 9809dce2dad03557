"""The local backend: a pipeline's steps as processes of this machine, recorded under .azml.

    backend     the interface that the tasks use
    runs, register, schedule, environments    what the tasks besides `run` do
    run/        runner (a run or its forecast), scheduler (the steps in parallel), step_run (one step), processes
    reuse/      whether an earlier result of a step is reused
    step/       local_run (what the steps of a run share), what a step is given
    store/      the folder .azml: records, results, contents
    forkserver/ the process that steps are forked from; it starts before the rest is imported

Nothing is imported here, so that looking at a run does not cost what running one does.
"""

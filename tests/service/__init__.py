"""A stand-in of the Azure ML v1 service on loopback, for the real SDK to talk to in tests.

A test asks for the fixture `azure` (see `fixture`) and gets the `Service`, emptied, with one workspace (`names`), and
with the environment set so that the unmodified SDK in this process and in its children reaches nothing else.

Before: `azure.put_blob`, `add_datastore`, `add_table`, `add_files`, `add_compute`, `add_environment`,
`add_workspace`; `azure.secrets[...] = ...`; `azure.fail(...)`, `azure.drop(...)`; `azure.on_submit` says what becomes
of a submitted pipeline ("finish", "execute", "hold"), `azure.failing` which steps fail.

After: `azure.environments`, `datastores`, `datasets`, `computes`, `experiments`, `snapshots`, `modules`, `graphs`,
`runs`, `pipeline_runs`, `published`, `endpoints`, `schedules`, `models` are what the service holds (`state`,
`run_state`, `pipeline_state`); `azure.submitted` the pipeline runs, `azure.steps()` the steps of the last one as the
service understands them (`graphs`), `azure.step_runs()` what became of them, `azure.artifacts(run)` their files,
`azure.blob(...)` a blob; `azure.requests` everything that was asked (`traffic`).

In between: `azure.end_step`, `finish`, `execute`, `settle`, `fire`.

The layers, lowest first: `names`, `authority`, `proxy` (HTTPS on loopback); `message`, `routing`, `faults`, `traffic`;
`state`; `routes` (a module for each part of the service; the SDK's own models check what comes in, see `contract`);
`progress`, `execution`; `service`. Where Azure's behaviour is not known from the SDK's sources it is said so at the
spot.
"""

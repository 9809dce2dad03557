"""The Invoke tasks; a project's tasks.py imports `namespace`.

Tasks import what they need when they run, so that `invoke --list` is fast.
"""

from __future__ import annotations

from invoke import Collection

from azml_tasks.tasks import inspect, publish, register, results, runs, schedules
from azml_tasks.tasks.export import export_v2
from azml_tasks.tasks.inspect import doctor
from azml_tasks.tasks.lock import lock
from azml_tasks.tasks.migrate import migrate
from azml_tasks.tasks.new_step import new_step
from azml_tasks.tasks.plan import plan
from azml_tasks.tasks.run import run

namespace = Collection(
    run,
    inspect.validate,
    inspect.graph,
    plan,
    inspect.snapshot,
    lock,
    new_step,
    doctor,
    register.register,
    register.register_env,
    register.register_datastore,
    register.register_csv,
    register.register_compute,
    register.unregister_datastore,
    publish.publish,
    schedules.schedule,
    export_v2,
    migrate,
)
namespace.add_collection(
    Collection(
        "runs",
        runs.list_,
        runs.show,
        runs.compare,
        runs.report,
        runs.logs,
        results.download,
        results.export,
        runs.cancel,
        runs.prune,
    )
)
namespace.add_collection(Collection("models", results.list_models))
namespace.add_collection(Collection("datasets", results.list_datasets))
namespace.add_collection(Collection("published", publish.list_, publish.run))
namespace.add_collection(
    Collection(
        "schedules",
        schedules.list_,
        schedules.preview,
        schedules.pause,
        schedules.resume,
        schedules.prune,
        schedules.run,
    )
)
namespace.configure({"azml": {"target": ""}})

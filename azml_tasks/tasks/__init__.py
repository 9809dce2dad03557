"""The Invoke tasks; a project's tasks.py imports `namespace`.

Nothing heavy is imported here: what a task needs, it imports when it runs.
"""

from __future__ import annotations

import atexit
import gc

from invoke import Collection

from azml_tasks.tasks import looking, publishing, register, runs, schedules
from azml_tasks.tasks.doctor import doctor
from azml_tasks.tasks.exporting import export_v2
from azml_tasks.tasks.new_step import new_step
from azml_tasks.tasks.run import run

# What start-up makes lasts: looking through it for garbage, again and again and once more at the end, would take a
# third of the time of a task that has little to do.
gc.set_threshold(50_000)
atexit.register(gc.freeze)

namespace = Collection(
    run,
    looking.validate,
    looking.graph,
    new_step,
    doctor,
    register.register,
    register.register_env,
    register.register_datastore,
    register.register_csv,
    register.register_compute,
    register.unregister_datastore,
    publishing.publish,
    schedules.schedule,
    export_v2,
)
namespace.add_collection(Collection("runs", runs.list_, runs.show, runs.logs, runs.cancel, runs.prune))
namespace.add_collection(Collection("published", publishing.list_, publishing.run))
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

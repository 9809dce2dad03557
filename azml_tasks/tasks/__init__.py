"""The Invoke tasks; a project's tasks.py imports `namespace`.

Nothing heavy is imported here: what a task needs, it imports when it runs.
"""

from __future__ import annotations

from invoke import Collection

from azml_tasks.tasks import looking
from azml_tasks.tasks.new_step import new_step

namespace = Collection(looking.validate, looking.graph, new_step)
namespace.configure({"azml": {"target": ""}})

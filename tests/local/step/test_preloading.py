"""What several steps import is imported once, where a fork is safe after it."""

from __future__ import annotations

import gc
import os
import sys
import textwrap

import pytest

from azml_tasks.errors import RunError
from azml_tasks.local.run.processes import ForkServer, ProcessSpec
from azml_tasks.local.step.environment import STANDIN, Preload, modules_at_once, modules_to_preload
from azml_tasks.snapshot import build_snapshot

linux = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is for Linux")


def test_what_two_steps_import_is_preloaded_and_what_one_does_is_not(tmp_path):
    (tmp_path / "a.py").write_text("import json, csv, pandas, torch, own\nfrom concurrent import futures")
    (tmp_path / "b.py").write_text("import json, pandas, torch, multiprocessing, numpy\nimport concurrent.futures")
    (tmp_path / "c.py").write_text("import multiprocessing")
    snapshots = [build_snapshot(tmp_path, ".", name) for name in ("a.py", "b.py", "c.py")]

    # torch is not among those known to be safe; multiprocessing keeps the folder that it is imported in.
    assert modules_to_preload(snapshots, reads_data=False) == Preload(("concurrent", "json"), ("pandas",))


def test_the_stand_in_s_data_part_is_preloaded_when_a_step_reads_data(tmp_path):
    (tmp_path / "a.py").write_text("from azureml.core import Run")
    snapshots = [build_snapshot(tmp_path, ".", "a.py")]

    without, with_data = (modules_to_preload(snapshots, reads_data).light for reads_data in (False, True))

    assert without == ()
    assert "azml_local.data.tabular_dataset" in with_data
    assert {"argparse", "azureml.core", "azml_local.run.run"} < set(modules_at_once())
    assert set(modules_at_once()).isdisjoint(with_data)


@linux
def test_pandas_is_imported_once_and_each_step_draws_numbers_of_its_own(project):
    pytest.importorskip("pandas")
    script = """
        import sys
        print("pandas" in sys.modules)
        import numpy, pandas
        print(numpy.random.rand(), numpy.random.default_rng().random())
        print(float((numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum()), file=sys.stderr)
    """
    run = project.line(a=script, b=script).run()

    logs = {step: project.log(run, step).splitlines() for step in "ab"}
    assert [log[0] for log in logs.values()] == ["True", "True"]
    assert len({number for log in logs.values() for number in log[1].split()}) == 4
    assert [log[2] for log in logs.values()] == ["27000000.0", "27000000.0"]


@pytest.mark.parametrize(
    ("source", "is_preloaded"),
    [
        ("import numpy", True),
        ("import os\nos.environ['OPENBLAS_NUM_THREADS'] = '1'\nimport numpy", False),
        ("import os\nos.environ.update(OMP_NUM_THREADS='1')\nimport numpy", False),
        ("import os\nos.environ['PYTHONHASHSEED'] = '1'\nMY_OMP_X, OMP_ = 1, 2\nimport numpy", True),
    ],
)
def test_a_script_that_sets_what_a_library_reads_at_its_import_is_no_reason_to_preload_it(
    tmp_path, source, is_preloaded
):
    (tmp_path / "a.py").write_text("import json, numpy")
    (tmp_path / "b.py").write_text("import json, own")
    (tmp_path / "own.py").write_text(source)
    snapshots = [build_snapshot(tmp_path, ".", name) for name in ("a.py", "b.py")]

    heavy = ("numpy",) if is_preloaded else ()
    assert [snapshot.tunes for snapshot in snapshots] == [False, not is_preloaded]
    assert modules_to_preload(snapshots, reads_data=False) == Preload(("json",), heavy)


@linux
def test_a_variable_that_a_script_sets_before_it_imports_numpy_counts_beside_steps_that_do_not(project):
    pytest.importorskip("numpy")
    show = """
        was_here = "numpy" in sys.modules
        import numpy
        print(was_here, len(os.listdir("/proc/self/task")))
    """
    tuning = "import os, sys\nos.environ['OPENBLAS_NUM_THREADS'] = '1'\n" + textwrap.dedent(show)
    other = "import os, sys\n" + textwrap.dedent(show)
    run = project.line(a=other, b=tuning, c=other).run()

    logs = {step: project.log(run, step) for step in "abc"}
    assert (logs["a"].split()[0], logs["b"], logs["c"].split()[0]) == ("True", "False 1\n", "True")


@linux
@pytest.mark.parametrize(("starts_thread", "is_preloaded"), [(False, True), (True, False)])
def test_a_module_that_leaves_a_thread_is_not_forked_after(tmp_path, starts_thread, is_preloaded):
    source = "import threading, time\n"
    if starts_thread:
        source += "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    (tmp_path / "heavy_module.py").write_text(source)
    (tmp_path / "light_module.py").write_text("")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a.py").write_text(
        "import sys\nprint([m in sys.modules for m in ('light_module', 'heavy_module')])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(STANDIN), str(tmp_path)])}
    server = ForkServer(environment)
    server.preload(Preload(("light_module",), ("heavy_module",)))

    server.start(
        ProcessSpec(
            id="a",
            python=sys.executable,
            argv=("a.py",),
            cwd=str(tmp_path / "work"),
            environment=environment,
            path=(str(tmp_path / "work"),),
            log=str(tmp_path / "log"),
            warm=True,
        )
    )
    ended = []
    while not ended:
        ended = server.wait(30)
    server.close()

    assert [(one.id, one.exit_code) for one in ended] == [("a", 0)]
    assert (tmp_path / "log").read_text() == f"[True, {is_preloaded}]\n"


@pytest.mark.processes
@linux
def test_a_module_that_cannot_be_imported_is_left_to_the_steps(tmp_path):
    (tmp_path / "broken.py").write_text("raise RuntimeError")
    (tmp_path / "a.py").write_text("print('ran')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    server = ForkServer(environment)
    server.preload(Preload(("broken", "no_such_module"), ()))

    server.start(
        ProcessSpec("a", sys.executable, ("a.py",), str(tmp_path), environment, (), str(tmp_path / "log"), True)
    )
    while not server.wait(30):
        pass
    server.close()

    assert (tmp_path / "log").read_text() == "ran\n"


@linux
def test_a_machine_that_starts_no_process_is_reported(project):
    import resource

    project.line(a="")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()
    lowest_free = os.dup(0)
    os.close(lowest_free)
    # The limit is on numbers of descriptors: below this one all but one are taken.
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, most[1]))
    try:
        with pytest.raises(RunError) as caught:
            project.run()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)

    assert str(caught.value) == "could not start a process for the steps: Too many open files"


@linux
def test_a_server_that_cannot_start_reports_why(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os\nos.write(2, b'no room\\n')\nos._exit(1)\n")
    server = ForkServer({**os.environ, "PYTHONPATH": str(tmp_path)})

    with pytest.raises(RunError) as caught:
        server.wait(30)
    server.close()

    assert str(caught.value) == ("the process that starts the steps ended; possibly out of memory\nno room")

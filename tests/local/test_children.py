"""What a step starts in the background ends with it, or with the run."""

from __future__ import annotations

import time

from tests.local.conftest import linux
from tests.local.runners import ends


def test_children_that_a_step_leaves_behind_end_with_it(project, way, tmp_path):
    beat = tmp_path / "beat"
    project.line(
        a=f"""
            import os, sys, time
            if os.fork() == 0:
                while True:
                    open({str(beat)!r}, "a").write("x")
                    time.sleep(0.01)
            while not os.path.exists({str(beat)!r}):
                time.sleep(0.01)
        """
    )

    assert project.run(**way).status == "completed"

    time.sleep(0.1)
    size = beat.stat().st_size
    time.sleep(0.2)
    assert beat.stat().st_size == size


@linux
def test_a_daemon_that_leaves_its_session_ends_with_the_run(project, tmp_path):
    pid = tmp_path / "pid"
    project.line(
        a=f"""
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open({str(pid)!r}, "w").write(str(os.getpid()))
                    time.sleep(600)
                os._exit(0)
            while not os.path.exists({str(pid)!r}) or not open({str(pid)!r}).read():
                time.sleep(0.01)
        """
    )

    project.run()

    assert ends(pid.read_text())

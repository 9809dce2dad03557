"""Run a step's script as the service's wrapper does: `python job.py script.py arguments...`.

The script is the main module, its folder first on the import path; what it logged is sent when it ends, however
it ends (`azureml/_history/utils/context_managers.py`).
"""

import contextlib
import io
import os
import runpy
import sys


def main() -> None:
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = os.getcwd()
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        runs = sys.modules.get("azureml._run_impl.run_base")
        if runs is not None:
            with contextlib.redirect_stdout(io.StringIO()):  # it tells how long it waits
                runs._RunBase._kill()


main()

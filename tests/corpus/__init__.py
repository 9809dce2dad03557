"""Published step scripts of Azure ML v1, and what `validate` says about each with the arguments of its own builder.

The list names them only; nothing of them is in this repository. `python -m tests.corpus FOLDER` reads them from clones.
"""

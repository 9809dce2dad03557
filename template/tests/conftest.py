"""Let the tests import a step where Microsoft's SDK is not installed."""

import sys

import azml_tasks.standin

# Last, so that the SDK comes first where it is there.
sys.path.append(azml_tasks.standin.__path__[0])

"""Allow the tests to import steps without Microsoft's SDK."""

import sys

import azml_tasks.standin

# At the end, so that the SDK is used if it is installed.
sys.path.append(azml_tasks.standin.__path__[0])

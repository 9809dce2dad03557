"""Say what installs a package that a step's script did not find."""

from __future__ import annotations

import re
import sys
from typing import Literal

from azml_tasks.model import Pipeline, Step

# Where the step ran: in this Python, in a virtual environment made from the file, or on the cluster.
Place = Literal["here", "virtual", "cluster"]

_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'", re.MULTILINE)
_NEITHER = {
    "here": "is neither in the project nor installed here",
    "virtual": "is neither in the project nor in the step's virtual environment",
    "cluster": "is neither in the step's snapshot nor in its environment",
}
# Modules whose package has another name.
_PACKAGES = {
    "Crypto": "pycryptodome",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "imblearn": "imbalanced-learn",
    "jwt": "pyjwt",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
# Packages that steps import, by the name that they are installed by: no mistyped modules of the project.
_OF_THAT_NAME = """
    catboost dask joblib keras lightgbm matplotlib mlflow numpy openpyxl pandas plotly polars prophet pyarrow requests
    scipy seaborn shap spacy sqlalchemy statsmodels tensorflow torch torchvision tqdm transformers xgboost
"""
_KNOWN = frozenset((*_PACKAGES, *_OF_THAT_NAME.split()))
# Python's own in other releases: no package has them.
_PYTHONS_OWN = sys.stdlib_module_names | {"asyncore", "cgi", "distutils", "imp", "pipes", "telnetlib", "tomllib"}
_NAME = re.compile(r"(?:[\w-]+::)?\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def missing_module(log_tail: str) -> re.Match[str] | None:
    """Return where the last module that a log's tracebacks miss stands, its name as group 1."""
    return next(reversed(list(_MODULE.finditer(log_tail))), None)


def is_known_package(module: str) -> bool:
    """Say whether a module is known to come from a package of the index."""
    return module in _KNOWN


def package_hint(module: str, pipeline: Pipeline, step: Step, place: Place, meant: str | None = None) -> str | None:
    """Say how to come by the package of a module that is no module of the project; None when no package has it.

    `meant` is a module of the project that has a name like it.
    """
    if "." in module or module in _PYTHONS_OWN:
        return None  # A part of a package that is there, or nothing that pip knows.
    package = _PACKAGES.get(module, module)
    is_listed = _is_listed(package, pipeline, step)
    here = f"`pip install {package}`" if place == "here" else ""
    if is_listed and place != "cluster":
        # Whether it lists the package since it was made, or there is no virtual environment yet.
        rest = "`invoke register-env` installs it" + (" in a virtual environment" if here else "")
    else:
        rest = "" if is_listed else _in_environment(package, pipeline, step, place)
    ways = (", or " if is_listed else ", and ").join(filter(None, (here, rest)))
    if not ways:
        return None
    is_package = is_listed or is_known_package(module)
    or_else = f"; did you mean '{meant}'? Otherwise " if meant and not is_package else ": "
    return f"'{module}' {_NEITHER[place]}{or_else}{ways}"


def _is_listed(package: str, pipeline: Pipeline, step: Step) -> bool:
    """Say whether pip_packages of the step's environment name the package."""
    environment = pipeline.environments.get(pipeline.env_of(step) or "")
    return environment is not None and _is_among(package, environment.pip_packages)


def _in_environment(package: str, pipeline: Pipeline, step: Step, place: Place) -> str:
    """Say what puts the package into the step's environment, as far as the file tells."""
    name = pipeline.env_of(step)
    environment = pipeline.environments.get(name) if name else None
    if environment is None:
        return f"see that the environment '{name}' has it on Azure" if name else ""
    if environment.conda_file:
        added = f"see that {environment.conda_file}, the conda_file of the environment '{name}', has it"
    elif _is_among(package, environment.conda_packages) and place != "virtual":
        return ""
    else:
        added = f"add {package} to pip_packages of the environment '{name}'"
    return f"{added}, then `invoke register-env`" if place == "virtual" else added


def _is_among(package: str, requirements: tuple[str, ...]) -> bool:
    names = {_normal(found[1]) for found in map(_NAME.match, requirements) if found}
    return _normal(package) in names


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

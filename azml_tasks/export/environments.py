"""Environments ("CLI (v2) environment YAML schema"), and how a component names one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from azml_tasks import conda
from azml_tasks.export.document import document, plain_document
from azml_tasks.export.names import asset_name
from azml_tasks.model import Environment
from azml_tasks.reading import Project
from azml_tasks.reading.environment import environment_text

# The image that SDK v1 takes when none is asked for (azureml-core, DEFAULT_CPU_IMAGE), in its newest build.
DEFAULT_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
# Where an environment's packages lie in the image, and on PATH, as the Dockerfiles of curated environments have it.
_CONDA_FOLDER = "/azureml-envs/packages"
_CURATED = "azureml-"


def is_curated(name: str) -> bool:
    """Say whether a name is one of Microsoft's environments."""
    return name.lower().startswith(_CURATED)


def environment_reference(declared: Mapping[str, Environment], name: str) -> str:
    """Return how a component names an environment; curated ones live in Microsoft's registry ("CLI (v2) core YAML
    syntax", and "Azure Machine Learning Curated Environments").
    """
    if name in declared:
        return f"azureml:{name}@latest"
    base, _, version = name.partition("@")
    newest = version in ("", "latest")
    if is_curated(base):
        return f"azureml://registries/azureml/environments/{base}/" + (
            "labels/latest" if newest else f"versions/{version}"
        )
    return f"azureml:{base}@latest" if newest else f"azureml:{base}:{version}"


def environment_files(
    project: Project, name: str, environment: Environment, needed: Iterable[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an environment by their path under `environments/`.

    `needed` are pip packages that its scripts cannot do without. Raises ProjectError for a file that cannot be read.
    """
    stated: dict[str, object] = {"name": name}
    place = asset_name(name)
    packages = None
    if not conda.has_own_python(environment):
        packages = plain_document(conda.conda_specification(environment, project.directory, needed))
        yield f"{place}/conda.yml", packages
    if environment.dockerfile:
        dockerfile = environment_text(project.directory, environment.dockerfile)
        if packages is not None:
            dockerfile = f"{dockerfile.rstrip()}\n\n{_ADDED}"
        yield f"{place}/Dockerfile", dockerfile.encode()
        stated["build"] = {"path": place, "dockerfile_path": "Dockerfile"}
    else:
        stated["image"] = environment.base_image or DEFAULT_IMAGE
        stated["conda_file"] = f"{place}/conda.yml" if packages is not None else None
    yield f"{place}.yml", document("environment", stated)


# v2 builds packages on an image, and none on a Dockerfile.
_ADDED = f"""\
# The packages of the environment, which v1 put on top by itself.
COPY conda.yml /tmp/conda.yml
RUN conda env create --prefix {_CONDA_FOLDER} --file /tmp/conda.yml && conda clean --all --yes
ENV PATH={_CONDA_FOLDER}/bin:$PATH
"""

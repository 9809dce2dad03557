"""Where a project takes azml-tasks from: what Copier copied, as it was given to Copier."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import copier
import pytest
import yaml
from packaging.requirements import Requirement

from tests.template.conftest import checkout, commit, git

pytestmark = pytest.mark.thorough

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Addresses that the tests answer from a folder, as git's `insteadOf` does.
SERVERS = (
    "https://github.com/org/",
    "https://me:password@github.com/org/",
    "https://token@github.com/org/",
    "https://gitlab.com/org/",
    "https://example.org/org/",
    "http://example.org/org/",
    "git://example.org/org/",
    "git@example.org:org/",
    "me@example.org:/org/",
    "example.org:org/",
    "ssh://git@example.org:2222/org/",
    "ssh://git:password@example.org/org/",
)


class Copied(NamedTuple):
    """A project's requirements, with and without the extra, and what Copier said."""

    plain: str
    azure: str
    said: str


def copied(repository: Path, address: str, *options: str) -> Copied:
    """Copy the template from the address, as typed beside the repository."""
    folder = repository.parent
    aliases = {
        f"GIT_CONFIG_{kind}_{number}": value
        for number, server in enumerate(SERVERS)
        for kind, value in (("KEY", f"url.file://{folder}/.insteadOf"), ("VALUE", server))
    }
    environment = {
        **os.environ,
        **aliases,
        "GIT_CONFIG_COUNT": str(len(SERVERS)),
        "COPIER_CACHE_DIR": str(folder / "cache"),
        "HOME": str(folder),
        "PYTHONUTF8": "1",
    }
    command = [sys.executable, "-m", "copier", "copy", "--defaults", *options, "--", address, "project"]
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    project = tomllib.loads((folder / "project" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Copied(project["dependencies"][0], project["optional-dependencies"]["azure"][0], done.stderr)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a git repository of the template, its newest commit a later one than its only tag."""
    repository = checkout(tmp_path / "mes dépôts" / "azml")
    commit(repository, "A release", tag="v0.1.0")
    (repository / "CHANGELOG.md").write_text("Later.\n")
    commit(repository, "A change")
    return repository


@pytest.fixture
def bare(repository: Path) -> Path:
    git(repository.parent, "clone", "--quiet", "--bare", repository.name, f"{repository.name}.git")
    return repository


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("gh:org/azml", "git+https://github.com/org/azml.git"),
        ("gl:/org/azml.git", "git+https://gitlab.com/org/azml.git"),
        ("https://github.com/org/azml", "git+https://github.com/org/azml.git"),
        ("https://github.com/org/azml.git", "git+https://github.com/org/azml.git"),
        ("https://example.org/org/azml.git", "git+https://example.org/org/azml.git"),
        ("http://example.org/org/azml.git", "git+http://example.org/org/azml.git"),
        ("git+https://example.org/org/azml", "git+https://example.org/org/azml"),
        ("git://example.org/org/azml", "git+git://example.org/org/azml"),
        ("git@example.org:org/azml", "git+ssh://git@example.org/org/azml"),
        ("git+git@example.org:org/azml.git", "git+ssh://git@example.org/org/azml.git"),
        ("me@example.org:/org/azml.git", "git+ssh://me@example.org/org/azml.git"),
        ("example.org:org/azml.git", "git+ssh://example.org/org/azml.git"),
        ("ssh://git@example.org:2222/org/azml.git", "git+ssh://git@example.org:2222/org/azml.git"),
        ("git+ssh://git@example.org:2222/org/azml", "git+ssh://git@example.org:2222/org/azml"),
        # What is secret in an address must not get into the project.
        ("https://me:password@github.com/org/azml.git", "git+https://github.com/org/azml.git"),
        ("https://token@github.com/org/azml.git", "git+https://github.com/org/azml.git"),
        ("ssh://git:password@example.org/org/azml.git", "git+ssh://git@example.org/org/azml.git"),
        ("git+file://{folder}/azml", "git+file://localhost{quoted}/azml"),
        ("file://{folder}/azml.git", "git+file://localhost{quoted}/azml.git"),
        ("{folder}/azml.git", "git+file://localhost{quoted}/azml.git"),
        ("azml.git", "git+file://localhost{quoted}/azml.git"),
    ],
)
def test_an_address_of_a_repository_is_required_at_the_copied_commit(bare: Path, address: str, url: str):
    folder = bare.parent
    quoted = str(folder).replace(" ", "%20").replace("é", "%C3%A9").replace("ô", "%C3%B4")
    at = f"{url.format(quoted=quoted)}@{git(bare, 'rev-parse', 'v0.1.0').strip()}"

    plain, azure, said = copied(bare, address.format(folder=folder))

    assert (plain, azure) == (f"azml-tasks @ {at}", f"azml-tasks[azure] @ {at}")
    assert pip_takes(plain)
    assert ("CI and other machines" in said) == ("file://" in at)


def pip_takes(requirement: str) -> bool:
    """Say whether pip 22 to 24 parse it: the older ones want a host in each URL but a `file:` one."""
    parts = urlsplit(Requirement(requirement).url or "")
    return parts.scheme == "file" or bool(parts.scheme and parts.netloc)


@pytest.mark.parametrize("reference", ["v0.1.0", "main", "HEAD"])
def test_the_commit_is_that_of_the_reference_that_was_asked_for(repository: Path, reference: str):
    at = git(repository, "rev-parse", reference).strip()

    plain, _, _ = copied(repository, f"git+file://{repository}", "--vcs-ref", reference)

    assert plain.endswith(f"/azml@{at}")


@pytest.mark.parametrize(
    ("state", "address"),
    [
        *((state, address) for state in ("clean", "dirty", "plain") for address in ("{folder}/azml", "azml")),
        ("dirty", "./azml/"),
        ("plain", "../{name}/azml"),
        ("clean", "~/azml"),
    ],
)
def test_a_folder_is_required_by_its_absolute_path_and_the_message_reports_that_ci_cannot_install_it(
    repository: Path, state: str, address: str
):
    folder = repository.parent
    if state == "dirty":
        (repository / "CHANGELOG.md").write_text("Not committed.\n")
    if state == "plain":
        (repository / ".git").rename(folder / "elsewhere")
    place = f"file://{folder}/azml".replace(" ", "%20").replace("é", "%C3%A9").replace("ô", "%C3%B4")

    options = [] if state == "plain" else ["--vcs-ref=HEAD"]
    plain, azure, said = copied(repository, address.format(folder=folder, name=folder.name), *options)

    assert (plain, azure) == (f"azml-tasks @ {place}", f"azml-tasks[azure] @ {place}")
    assert pip_takes(plain)
    assert said.splitlines()[-3:-1] == [
        f"The project installs azml-tasks from this machine ({folder}/azml), so CI and other machines",
        "cannot install it. To allow this, copy from a git server, or add -d requirement=git+ADDRESS.",
    ]


def test_a_project_copied_from_a_relative_path_can_be_updated_from_within(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    copied(repository, "azml")
    project = repository.parent / "project"
    commit(project, "The project")
    git(repository, "tag", "v0.2.0")
    monkeypatch.chdir(project)

    copier.run_update(defaults=True, overwrite=True, quiet=True)

    answers = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert (answers["_src_path"], answers["_commit"]) == (str(repository), "v0.2.0")
    assert git(project, "status", "--porcelain") == " M .copier-answers.yml\n"

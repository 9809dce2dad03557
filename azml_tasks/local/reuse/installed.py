"""Dependencies of a step on a Python installation: packages, locations of modules, startup variables.

Computed once per run, because steps do not change it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.local.step.environment import STANDIN
from azml_tasks.packages import normal_name
from azml_tasks.snapshot import READ_AT_IMPORT
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azml_tasks.local.reuse.trace import Trace
    from azml_tasks.local.store.contents import HashCache

_SITE = ("site-packages", "dist-packages")
# Variables that the interpreter or a library in C reads, which is not seen.
_UNSEEN = ("PYTHON", "LD_", "LC_", "LANG", "TZ", *READ_AT_IMPORT)
_OURS = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE")
# A file written this long (seconds) after the list of installed files was edited by hand.
_SETTLED = 2.0
_SUFFIXES = (".py", ".pyc", ".so", ".pyd")
# Imported by a .pth file of setuptools in every process, whatever the script does; what it imports for a script counts.
_STARTED_ANYWAY = "_distutils_hack"


class Installation:
    """A Python installation, as seen by the steps of a run.

    `folders` are the folders of modules behind the standard library, `outer` those that PYTHONPATH names.
    """

    def __init__(self, contents: HashCache, folders: Iterable[str], outer: Iterable[str]) -> None:
        self._contents = contents
        self._folders = [folder for folder in dict.fromkeys((*outer, *folders)) if folder]
        self._owners: dict[str, dict[str, list[str]]] = {}
        self._hashes: dict[str, dict[str, str]] = {}

    def describe(self, trace: Trace, ahead: Mapping[str, list[str]]) -> dict[str, Any]:
        """Return the packages whose files were read, and where each module was found, as JSON."""
        files = {*trace.installed, *(file for file in ahead.get("files", ()) if _site_of(file))}
        files = {file for file in files if _split(file)[1].partition(os.sep)[0] != _STARTED_ANYWAY}
        names = trace.modules | trace.absent | {*ahead.get("names", ()), *ahead.get("absent", ())}
        packages: dict[str, dict[str, Any]] = {}
        for path in sorted(files):
            site, part = _split(path)
            owners = self._owners_in(site).get(part.partition(os.sep)[0], [])
            record = os.path.join(site, owners[0]) if len(owners) == 1 else ""
            key = record or os.path.join(site, part.partition(os.sep)[0])
            packages.setdefault(key, {"site": site, "record": record, "files": []})["files"].append(part)
        for package in packages.values():
            package["answer"] = self._package(package)
        plain = {name for name in names if "." not in name} | {name.partition(".")[0] for name in names}
        return {
            "packages": packages,
            "modules": self._modules(plain),
            "distributions": {site: self._distributions(site) for site in sorted(trace.distributions)},
            "hooks": self._hooks(trace.modules, trace.absent),
        }

    def difference(self, known: Mapping[str, Any]) -> str:
        """Describe the changes; empty if none."""
        before = {folder for places in known["modules"] for folder in places.split(os.pathsep) if folder}
        if before and before.isdisjoint(self._folders):
            return "its Python environment is another one"
        for key, package in known["packages"].items():
            if self._package(package) != package["answer"]:
                return f"package {_name_of(key)} changed"
        moved = self._moved(known["modules"])
        if moved:
            return moved
        for site, names in known["distributions"].items():
            if self._distributions(site) != names:
                return "the list of installed packages changed"
        hooks = known["hooks"]
        if hooks is not None and self._hook_digest != hooks:
            return "a .pth file of the installation changed"
        return ""

    def _moved(self, known: Mapping[str, list[str]]) -> str:
        """Describe a module that is found in another folder, or no longer; empty if none."""
        was = _places(known)
        now = _places(self._modules(name for names in known.values() for name in names))
        name = next((name for name in sorted({*was, *now}) if was.get(name) != now.get(name)), None)
        if name is None:
            return ""
        if not was.get(name):
            return f"module {name} was added"
        return f"module {name} was {'found in another folder' if now.get(name) else 'removed'}"

    def _package(self, package: Mapping[str, Any]) -> str:
        """Return the digest of a package: of the list of its files, and of those that differ from it."""
        site, record = package["site"], package["record"]
        listing = os.path.join(record, "RECORD")
        total = hashlib.sha256()
        installed = 0.0
        if record:
            try:
                status = os.stat(listing)
                installed = max(status.st_mtime, status.st_ctime) + _SETTLED
                total.update(self._contents.hash_file(listing).encode())
            except OSError:
                total.update(b"no RECORD")
        for part in package["files"]:
            path = os.path.join(site, part)
            try:
                status = os.stat(path)
                if installed and max(status.st_mtime, status.st_ctime) <= installed:
                    continue
                digest = self._contents.hash_file(path)
            except OSError:
                digest = ""
            if not (installed and digest and self._is_as_installed(site, listing, part, digest)):
                total.update(f"{part}\0{digest}\n".encode())
        return total.hexdigest()[:32]

    def _is_as_installed(self, site: str, listing: str, part: str, digest: str) -> bool:
        """Return whether a file has the content from the list of installed files."""
        if listing not in self._hashes:
            self._hashes[listing] = dict(_recorded(listing))
        encoded = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
        return self._hashes[listing].get(part.replace(os.sep, "/")) == f"sha256={encoded}"

    def _owners_in(self, site: str) -> dict[str, list[str]]:
        """Return the metadata folders that a top-level name of a folder of packages belongs to."""
        if site not in self._owners:
            found: dict[str, list[str]] = {}
            for name in _names(site):
                if name.endswith(".dist-info"):
                    for top in _tops(os.path.join(site, name, "RECORD")):
                        found.setdefault(top, []).append(name)
            self._owners[site] = found
        return self._owners[site]

    def _modules(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the names by the folders in which they are found."""
        found: dict[str, list[str]] = {}
        for name in sorted(set(names)):
            places = os.pathsep.join(folder for folder, stems in self._stems if name in stems)
            found.setdefault(places, []).append(name)
        return found

    @cached_property
    def _stems(self) -> list[tuple[str, frozenset[str]]]:
        return [(folder, frozenset(_stems_in(folder))) for folder in self._folders]

    def _distributions(self, site: str) -> list[str]:
        return sorted(name for name in _names(site) if name.endswith((".dist-info", ".egg-info", ".egg-link")))

    def _hooks(self, names: Iterable[str], absent: Iterable[str]) -> str | None:
        """Return the digest of what .pth files import, if a module was found by a finder of theirs."""
        there = {stem for _, stems in self._stems for stem in stems}
        missing = set(absent)
        by_finder = [
            name for name in names if name not in there and name not in missing and name not in sys.stdlib_module_names
        ]
        by_finder = [name for name in by_finder if not os.path.exists(STANDIN / name) and not name.startswith("_")]
        return self._hook_digest if by_finder and self._hook_lines else None

    @cached_property
    def _hook_lines(self) -> list[str]:
        lines = []
        for folder in self._folders:
            for name in sorted(_names(folder)):
                if name.endswith(".pth"):
                    text = _text_of(os.path.join(folder, name))
                    lines += [line for line in text.splitlines() if line.startswith(("import ", "import\t"))]
                elif name.startswith("__editable__") and name.endswith(".py"):
                    lines.append(_text_of(os.path.join(folder, name)))
        return lines

    @cached_property
    def _hook_digest(self) -> str:
        return hashlib.sha256("\n".join(self._hook_lines).encode("utf-8", "replace")).hexdigest()[:32]


def start_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that count for every step, since it is not seen who reads them."""
    return {
        name: value for name, value in sorted(environment.items()) if name.startswith(_UNSEEN) and name not in _OURS
    }


def outer_folders(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders of PYTHONPATH but for that of the stand-in."""
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    return tuple(os.path.abspath(folder) for folder in folders if folder and folder != str(STANDIN))


def own_folders() -> tuple[str, ...]:
    """Return the folders of modules of this interpreter that come behind the standard library."""
    library = os.path.dirname(os.path.abspath(os.__file__))
    last = max((place for place, folder in enumerate(sys.path) if _is_library(folder, library)), default=-1)
    return tuple(os.path.abspath(folder) for folder in sys.path[last + 1 :] if folder)


def folders_of(python: Path) -> tuple[str, ...]:
    """Return the folders of modules of a virtual environment: those of its packages, and what .pth files name."""
    root = python.parent.parent
    found = []
    for site in map(str, sorted({*root.glob("lib/python*/site-packages"), *root.glob("Lib/site-packages")})):
        found.append(site)
        for name in sorted(name for name in _names(site) if name.endswith(".pth")):
            lines = _text_of(os.path.join(site, name)).splitlines()
            paths = (os.path.join(site, line.strip()) for line in lines if not line.startswith(("import", "#")))
            found += [os.path.abspath(path) for path in paths if os.path.isdir(path)]
    return tuple(dict.fromkeys(found))


def _is_library(folder: str, library: str) -> bool:
    path = os.path.abspath(folder)
    return (path + os.sep).startswith(library + os.sep) and os.path.basename(path) not in _SITE


def _places(modules: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: places for places, names in modules.items() for name in names if name != _STARTED_ANYWAY}


def _name_of(key: str) -> str:
    name = os.path.basename(key)
    if name.endswith(".dist-info"):
        return normal_name(name.removesuffix(".dist-info").partition("-")[0])
    return name.partition(".")[0]


def _site_of(path: str) -> str:
    return _split(path)[0]


def _split(path: str) -> tuple[str, str]:
    """Return the package folder of a file, and its path in it; empty texts if none."""
    for site in _SITE:
        mark = f"{os.sep}{site}{os.sep}"
        if mark in path:
            before, _, part = path.partition(mark)
            return before + mark[:-1], part
    return "", ""


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _stems_in(folder: str) -> Iterator[str]:
    """Yield the names of the modules that a folder or an archive may hold."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIXES):
                    yield entry.name.partition(".")[0]
                elif "." not in entry.name and entry.name != "__pycache__":
                    yield entry.name
    except OSError:
        return


def _tops(listing: str) -> set[str]:
    return {part.partition("/")[0] for part, _ in _recorded(listing) if not part.startswith("..")}


def _recorded(listing: str) -> Iterator[tuple[str, str]]:
    """Yield each file of a RECORD with its hash."""
    for line in _text_of(listing).splitlines():
        part, _, rest = line.rpartition(",")[0].rpartition(",")
        if part:
            yield part.strip('"'), rest


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def named_changes(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Describe the changed variables; empty if none."""
    names = [name for name in dict.fromkeys((*new, *old)) if old.get(name) != new.get(name)]
    return f"variable{'s' if len(names) > 1 else ''} {listed(names)} changed" if names else ""

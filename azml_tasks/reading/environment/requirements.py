"""Parse the lines of a requirements file like pip."""

from __future__ import annotations

import optparse
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

Kind = Literal["requirement", "requirements", "constraints", "editable", "path", "links", "option"]

# By pip's names (pip, _internal/req/req_file.py): options with a value, and without.
_FILES: dict[str, Kind] = {
    "-r": "requirements",
    "--requirement": "requirements",
    "-c": "constraints",
    "--constraint": "constraints",
    "-e": "editable",
    "--editable": "editable",
    "-f": "links",
    "--find-links": "links",
}
_WITH_VALUE = (
    *_FILES,
    *("-i", "--index-url", "--pypi-url", "--extra-index-url", "--no-binary", "--only-binary", "--trusted-host"),
    "--use-feature",
)
_INDEXES = ("-i", "--index-url", "--pypi-url", "--extra-index-url")
_INDEX = r"(?i)https?://[^/\s]|file:|[A-Za-z]:[\\/]|[./]"
_ALONE = ("--no-index", "--prefer-binary", "--require-hashes", "--pre")
# Of one requirement, behind it.
_OF_ONE = r"(?s)\s(--hash|--global-option|--config-settings?|-C)[\s=].*$"
_PLAIN = r"(?a)[A-Za-z0-9]+([._-]+[A-Za-z0-9]+)*(==\d+(\.\d+)*)?"
_COMMENT = r"(^|\s+)#.*$"
_ARCHIVE = r"(?i)\.(whl|zip|tar|tar\.gz|tgz|tar\.bz2|tbz|tar\.xz|txz)$"
_VERSION_CONTROL = r"(?i)(git|hg|svn|bzr)\+"
_URL = r"(?i)[a-z][a-z0-9+.-]+:"
_NAMED = r"[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*(?P<address>\S+)"
_ONE_EQUALS = r"(?P<name>[\w.-]+(?:\[[^\]]*\])?)\s*=\s*(?P<version>[\w.*+!-]+)"
_NO_OPERATOR = r"(?P<name>[\w.-]+(?:\[[^\]]*\])?)\s+v?(?P<version>\d[\w.*+!-]*)"
# Of conda's (conda, models/match_spec.py).
_MATCH_SPEC = r"(?:\S*::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?P<version>[^\[\]]*?)\s*(?:\[(?P<brackets>[^\]]*)\])?"
_IN_BRACKETS = r"version\s*=\s*[\"']?(?P<version>[^\"'\]]+)"
_WITH_BUILD = r"=(?P<version>[^=\s<>!~]+)=[^=\s]+|(?P<other>[^=\s<>!~]\S*)\s+\S+"
_RELATION = r"(?P<operator>[<>=!~]=|[<>=])?\s*(?P<version>[\w.+!*-]+)"

_AROUND_OPERATORS = r"\s*([<>=!~,|()]+)\s*"
_BUILD = r"(?P<version>.*[^<>=!~,|])[ =][\w.*+-]+"
_CONDA_RELATION = r"(?:[<>=!~]=|[<>=])?(?:\*|(?=[^\^$]*\d)(?!.*\.\.)[\w*][\w.+!*-]*)|\^.*\$"
_FOR_PIP = r"-|[\w.-]+\s*\[[^=\]]*\]|[^#]*;|(git|hg|svn|bzr)\+|[\w.-]+\s*@"
_PYTHON_WITHOUT_EQUALS = r"(?i)python-?(?P<version>\d+(\.\d+)*)"
_PACKAGE_FILE = r"(?i)\.(conda|tar\.bz2)(#\S*)?$"
# Of conda's (conda, common/url.py).
_LOGIN_IN_PATH = r"://[^/\s]+/t/[a-zA-Z0-9_-]{8,}"
# The usual way to require one.
_USUAL_PYTHON = r"(?i)python\s*[<>=]*\s*[23](\.\d{1,2}){0,2}(\.\*)?"
# `--hash=ALGORITHM:DIGEST`, with the length of the digest.
_HASH = r"\s--hash[\s=]\s*(?P<value>\S*)"
_DIGEST = r"(?i)sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"


class Line(NamedTuple):
    """One line; `file` is its path on this machine, if any."""

    number: int
    text: str
    kind: Kind
    file: str = ""
    wrong_option: str = ""

    @property
    def requirement(self) -> str:
        """The requirement without the options behind it."""
        return re.sub(_OF_ONE, "", self.text).strip()

    @property
    def fault(self) -> str:
        """Why pip cannot read the line; empty if it can."""
        if self.kind == "requirement":
            return _fault(self.requirement) or _fault_of_hashes(self.text)
        return self.wrong_option


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines, with continuation lines joined, without comments and empty lines."""
    joined, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        first = first or number
        is_comment = raw.lstrip().startswith("#")
        joined += f" {raw}" if is_comment and joined else raw
        if joined.endswith("\\") and not is_comment:
            joined = joined[:-1]
            continue
        line = re.sub(_COMMENT, "", joined).strip()
        if line:
            yield from _line(first, line)
        joined, first = "", 0
    if joined.strip():
        yield from _line(first, re.sub(_COMMENT, "", joined).strip())


def _line(number: int, text: str) -> Iterator[Line]:
    if text.startswith("-"):
        yield from _options(number, text)
        return
    file = _file_of_requirement(re.sub(_OF_ONE, "", text))
    yield Line(number, text, "path" if file else "requirement", file)


def _options(number: int, text: str) -> Iterator[Line]:
    """Yield the options of a line; several, and abbreviations, are allowed."""
    found: list[tuple[str, str]] = []
    try:
        _, behind = _parser(found).parse_args(shlex.split(text))
    except (_OptionError, ValueError) as error:  # a quote that is not closed
        yield Line(number, text, "option", wrong_option=f"pip cannot read '{text}' ({_first_line(error)})")
        return
    for name, value in found:
        kind = _FILES.get(name, "links" if _is_file_url(value) else "option")
        alone = text if len(found) == 1 and not behind else shlex.join(filter(None, (name, value)))
        file = _local_path(value, kind) if kind != "option" else ""
        yield Line(number, alone, kind, file, _fault_of_index(name, value))
    for word in behind:
        message = f"pip does not read '{word}' after an option; write it as a separate item"
        yield Line(number, word, "option", wrong_option=message)


def _fault_of_index(name: str, value: str) -> str:
    is_right = name not in _INDEXES or "${" in value or re.match(_INDEX, value)
    return "" if is_right else f"{name}: '{value}' is not a URL; did you mean 'https://...'?"


class _OptionError(Exception):
    """An option that pip does not accept."""


class _Parser(optparse.OptionParser):
    def error(self, msg: str) -> NoReturn:
        raise _OptionError(msg)


def _parser(found: list[tuple[str, str]]) -> optparse.OptionParser:
    """Return a parser for pip's options that adds each with its value to `found`."""

    def note(option: optparse.Option, name: str, value: str | None, parser: optparse.OptionParser) -> None:
        found.append((name, value or ""))

    parser = _Parser(add_help_option=False)
    for name in _WITH_VALUE:
        parser.add_option(name, action="callback", type="string", nargs=1, callback=note)
    for name in _ALONE:
        parser.add_option(name, action="callback", callback=note)
    return parser


def _local_path(value: str, kind: Kind) -> str:
    """Return the value of an option if it is a path on this machine, else an empty text."""
    if _is_file_url(value):
        return _path_in_url(value)
    if re.match(_VERSION_CONTROL, value) or (re.match(_URL, value) and not re.match(r"[A-Za-z]:[\\/]", value)):
        return ""
    return re.sub(r"\[[^\]]*\]$", "", value.partition("#")[0]) if kind == "editable" else value


def _file_of_requirement(text: str) -> str:
    """Return the path on this machine in a requirement, empty if none."""
    text = re.split(r"\s+;", text)[0].strip()
    named = re.fullmatch(_NAMED, text)
    address = named["address"] if named else text
    if _is_file_url(address):
        return _path_in_url(address)
    if re.match(_URL, address) and not re.match(r"[A-Za-z]:[\\/]", address):
        return ""
    path = re.sub(r"\[[^\]]*\]$", "", address)
    is_path = named or path.startswith(".") or "/" in path or "\\" in path or re.search(_ARCHIVE, path)
    return path if is_path and not re.search(r"[<>=!~;\s]", path) else ""


def _is_file_url(value: str) -> bool:
    return bool(re.match(r"([a-z]+\+)?file:", value, re.IGNORECASE))


def _path_in_url(value: str) -> str:
    path = unquote(urlsplit(value).path)
    return re.sub(r"^/(?=[A-Za-z]:)", "", path) or "."


def _fault(text: str) -> str:
    """Return why pip cannot read a requirement; empty if it can."""
    if re.match(r"python\s*($|[<>=!~;])", text, re.IGNORECASE):
        return f"'{text}': pip does not install Python; set python_version, or in a conda file write `- python=3.10`"
    # Most are plain names. pip inserts variables, and a URL is checked when it is downloaded.
    if re.fullmatch(_PLAIN, text) or "${" in text:
        return ""
    if re.match(_URL, text):
        return "" if not re.match(r"https?:(?!//[^/\s])", text, re.IGNORECASE) else f"'{text}' is a URL without a host"
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement as error:
        return f"pip cannot read '{text}'{_hint(text) or f' ({_first_line(error)})'}"
    return ""


def _fault_of_hashes(text: str) -> str:
    wrong = next(
        (found["value"] for found in re.finditer(_HASH, text) if not re.fullmatch(_DIGEST, found["value"])), None
    )
    return "" if wrong is None else f"'--hash={wrong}' is not a digest that pip accepts; write --hash=sha256:DIGEST"


def conda_fault(text: str) -> str:
    """Return why conda cannot read a package; empty if it can."""
    if "$" in text or re.search(_PACKAGE_FILE, text):  # conda inserts variables; an archive is installed as it is
        return ""
    if re.match(_FOR_PIP, text):
        return f"'{text}' is for pip; write it in the list of pip packages"
    if found := re.fullmatch(_PYTHON_WITHOUT_EQUALS, text):
        return f"'{text}' is not a package; did you mean 'python={found['version']}'?"
    return _fault_of_spec(text) or token_in_channel(text)


def _fault_of_spec(text: str) -> str:
    spec = re.fullmatch(_MATCH_SPEC, text)
    version = re.sub(_AROUND_OPERATORS, r"\1", spec["version"]) if spec else ""
    if build := re.fullmatch(_BUILD, version):
        version = build["version"]
    relations = re.split(r"[,|]", version.replace("(", "").replace(")", "")) if version else ()
    if spec is None or not all(re.fullmatch(_CONDA_RELATION, one) for one in relations):
        return f"conda cannot read '{text}'; write a name, or one with versions: `numpy=1.26`, `numpy>=1.26,<2`"
    if spec["name"].lower() == "python" and not re.fullmatch(_USUAL_PYTHON, text) and not allows(text, _pythons()):
        return f"'{text}' allows no version of Python"
    return ""


def token_in_channel(text: str) -> str:
    """Return what is wrong with a conda channel whose URL has a token in its path; empty if it has none."""
    if not re.search(_LOGIN_IN_PATH, text):
        return ""
    return "the URL of a channel has a token, which would be stored with the environment; write it without /t/TOKEN"


def exclude_each_other(first: str, second: str) -> bool:
    """Return whether no version fits two requirements of one package, which may be the same; if unknown, no."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = [Requirement(text) for text in (first, second)]
    except InvalidRequirement:
        return False
    if any(one.marker or one.url for one in parsed):
        return False
    specifiers = parsed[0].specifier & parsed[1].specifier
    versions = [version for one in specifiers for version in _near(one.version)]
    return bool(versions) and not any(specifiers.contains(version, prereleases=True) for version in versions)


def _near(text: str) -> Iterator[str]:
    """Yield a version, one after it and one before it, with none between that another requirement could mean."""
    from packaging.version import Version

    version = Version(text.removesuffix(".*"))
    release = version.release
    yield str(version)
    yield f"{version.epoch}!{'.'.join(map(str, release))}.0.0.0.1"
    place = next((place for place in reversed(range(len(release))) if release[place]), None)
    if place is not None:
        before = ".".join(map(str, (*release[:place], release[place] - 1)))
        yield f"{version.epoch}!{before}.999999.999999.999999"


def is_requirement(text: str) -> bool:
    """Return whether a text is a requirement with a name."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _hint(text: str) -> str:
    if re.match(r"(python\d?\s+-m\s+)?pip\d?\s+install\s", text):
        return "; write only packages, one per line"
    if found := re.fullmatch(_ONE_EQUALS, text):
        return f"; did you mean '{found['name']}=={found['version']}'?"
    if found := re.fullmatch(_NO_OPERATOR, text):
        return f"; did you mean '{found['name']}=={found['version']}'?"
    return ""


def _first_line(error: Exception) -> str:
    said = str(error).split("\n", 1)[0].rstrip(":. ")
    return said[:1].lower() + said[1:]


def pip_requirement(package: str) -> str | None:
    """Return the pip requirement for conda's text of a package; None if there is no equivalent.

    As conda reads them, `numpy=1.26` is any 1.26, `numpy==1.26` and `numpy 1.26` are that alone; a build counts for
    conda only.
    """
    found = re.fullmatch(_MATCH_SPEC, package.strip())
    if not found:
        return None
    version = found["version"]
    if found["brackets"] and (inside := re.search(_IN_BRACKETS, found["brackets"])):
        version = inside["version"].strip()
    if build := re.fullmatch(_WITH_BUILD, version):
        named = build["version"] or build["other"]
        version = "" if named == "*" else f"=={named}"
    relations = [_pip_relation(part.strip()) for part in version.split(",") if part.strip() not in ("", "*", "=*")]
    if None in relations:
        return None
    requirement = f"{found['name']}{','.join(filter(None, relations))}"
    return requirement if is_requirement(requirement) else None


def _pip_relation(text: str) -> str | None:
    found = re.fullmatch(_RELATION, text)
    if not found:
        return None
    operator, version = found["operator"] or "==", found["version"]
    series = version.rstrip("*").rstrip(".")
    if operator == "=" or (operator in ("==", "!=") and version.endswith("*")):
        return f"{'!=' if operator == '!=' else '=='}{series}.*"
    return f"{operator}{series}"


def _pythons() -> Iterator[str]:
    """Yield the versions of Python that may exist."""
    return (f"{major}.{minor}.{patch}" for major in (2, 3) for minor in range(100) for patch in range(40))


def allows(package: str, versions: Iterable[str]) -> bool:
    """Return whether conda's text for a package allows one of these versions; if unknown, yes."""
    from packaging.requirements import Requirement

    requirement = pip_requirement(package)
    if requirement is None:
        return True
    specifier = Requirement(requirement).specifier
    return any(specifier.contains(version, prereleases=True) for version in versions)

"""The secrets that a step's scripts ask for by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.local.step.environment import Mentions
from azml_tasks.snapshot import build_snapshot


@pytest.fixture
def mentions(tmp_path: Path):
    """Return what is mentions_of by a script of that text, with those arguments, beside a module and a text file."""

    def mentions_of(script: str | bytes, *argv: str) -> Mentions:
        content = script if isinstance(script, bytes) else script.encode()
        for name, text in (
            ("train.py", b"import lib\n" + content),
            ("lib.py", b"x = 'LIB_TOKEN'"),
            ("notes.txt", b"Model"),
        ):
            (tmp_path / name).write_bytes(text)
        return Mentions.of_staged(build_snapshot(tmp_path, ".", "train.py", ["notes.txt"]), tmp_path, argv)

    return mentions_of


URL = "postgres://u:p@h/d"


def test_a_url_with_a_password_is_given_to_the_step_that_requests_it(mentions):
    outer = {"DATABASE_URL": URL, "OTHER_URL": URL, "HOME_URL": "https://h/d"}

    asked = mentions("run.get_secret('database-url'), run.get_secret('home-url')").secrets(outer)

    assert asked == {"DATABASE_URL": URL}


OUTER = {"DB_KEY": "1", "Db_Password": "2", "LIB_TOKEN": "3", "OTHER_KEY": "4", "ORDINARY": "5"}


@pytest.mark.parametrize(
    ("script", "argv", "names"),
    [
        ("run.get_secret('db-key')", [], ["DB_KEY", "LIB_TOKEN"]),
        ("run.get_secret('db_PASSWORD')", [], ["Db_Password", "LIB_TOKEN"]),
        ("run.get_secret(sys.argv[1])", ["other-key"], ["LIB_TOKEN", "OTHER_KEY"]),
        ("run.get_secret('ordinary')  # not the whole word: DB_KEYS", [], ["LIB_TOKEN"]),
        ("os.environ['DB_KEY']", [], []),
    ],
)
def test_a_step_that_requests_secrets_gets_those_whose_names_it_has(mentions, script, argv, names):
    assert mentions(script, *argv).secrets(OUTER) == {name: OUTER[name] for name in names}

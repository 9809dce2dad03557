"""What a Dockerfile takes from the folder beside it."""

from __future__ import annotations

import pytest

from azml_tasks.reading.environment.dockerfile import Copied, copied_files


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("COPY a.txt b.txt /opt/", ["a.txt", "b.txt"]),
        ("copy --chown=1:1 --link a.txt /opt/", ["a.txt"]),
        ('ADD ["a b.txt", "/opt/"]', ["a b.txt"]),
        ("COPY 'a b' /opt/", ["a b"]),
        ("ADD https://h/x.tar /opt/", []),
        ("ADD git@github.com:o/r.git /opt/", []),
        ("COPY --from=build /x /y", []),
        ("COPY <<END /x\nCOPY a /b\nEND\nRUN true", []),
        ("RUN --mount=type=bind,source=a.txt,target=/a pip install -r /a", ["a.txt"]),
        ("RUN --mount=target=/a true", ["."]),
        ("RUN --mount=type=bind,from=build,source=a,target=/a true", []),
        ("RUN --mount=type=cache,target=/root/.cache pip install x", []),
        ("FROM x\nENV COPY=a\nRUN echo COPY a b\n# COPY c d", []),
    ],
)
def test_what_is_taken_from_the_folder(text, files):
    assert [file for copied in copied_files(text) for file in copied.files] == files


def test_each_is_known_by_its_first_line():
    text = "FROM x\n\n# why\nRUN a \\\n  # between\n  && b\nCOPY a \\\n  b \\\n  /opt/\nADD c /d\n"

    assert list(copied_files(text)) == [Copied(7, "COPY", ("a", "b")), Copied(10, "ADD", ("c",))]

"""Small tables, written by hand for one oddity each and at random, with the ways in which they are read."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SEED = 20
RANDOM = 200


@dataclass(frozen=True)
class Table:
    """The contents of a table's files, in order, and the options of `from_delimited_files`."""

    contents: tuple[bytes, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


def tables() -> Iterator[Table]:
    """Yield all tables, the same in each run."""
    yield from by_hand()
    choice = random.Random(SEED)
    for _ in range(RANDOM):
        yield at_random(choice)


BOTH_WAYS = (
    'a,b\n7,"x\n\ny\n\n\nz"\n8,s\n',
    'a,b\r\n7,"x\r\n\r\ny"\r\n8,s\r\n',
    'a,b\n\n7,"x"\n\n\n8,s\n\n',
    "a,b\r\n\r\n7,x\r\n\r\n8,s\r\n",
    "a\r\n\r\n7\r\n\r\n8\r\n",
    "\n\na,b\n7,x\n",
    "\r\n\r\na,b\r\n7,x\r\n",
    "a,b\n  \n7,x\n",
    "a,b\r7,x\r8,y\r",
    "a,b\n7,x\ry\n8,z\n",
    'a,b\n7,"x\ry"\n8,z\n',
    "a,b\r\n7,x\n8,z\r\n",
    "a,b\n7,x\n8,z",
    "a,b\n7,x\n8,z\r",
    "a,b\r\r\n7,x\r\r\n",
    "",
    "a,b\n",
    "a,b",
    "\n\n\n",
    "a,b\n5,6,7\n8\n9,10\n",
    "a,b\n5\n6\n",
    "a,b\n5\n6,7\n",
    'a,b\nx"y,z"\n"p"q,r\n"s" ,t\n',
    'a,b\n"x,y\nz,w\n',
    'a,b\nA2,"B\n2",C2\n',
    'a,b\n "x,y",z\n5, "q"\n',
    'a,b\n"x ""y"" z","""q"""\n',
    'a,b\nx,"y""\nz,"w"\n',
    'a\n"""\n"b"\n',
    'a,b\n"x""y\n5,6\n',
    '"a","b c", "d"\n1,2,3\n',
    '"a,b",c\n5,2\n',
    '"a\nb",c\n5,2\n',
    'a,b\n\n"x\ny",2\nz,3\n',
    "a,a,a,a_1\n5,6,7,8\n",
    "a,a_1,a,a\n5,6,7,8\n",
    "a,a,b,b,a,c,c\n1,2,3,4,5,6,7\n",
    "a,,,d\n5,6,7,8\n",
    "Column2,,\n5,6,7\n",
    "Column4,b\n5,6,7,8\n",
    "a,A\n5,6\n",
    " a ,\tb\t,\xa0c\xa0\n5,6,7\n",
    '" a ","  "\n5,6\n',
    "id,v\n5,x\0y\n6,z\n",
    "id,v\0w\n5,x\n",
)
COLUMNS = (
    "5|6 ", "1|0|2", "1|0|", "true|1", "true|0|yes", "Yes|No", "yes|no", "y|n", "T|F", "1.0|0.0", "1|x", "|5", "||",
    "5|5.5", "1e3|5", "9223372036854775807", "9223372036854775808|5", "-9223372036854775808", "00", "01|00", "+1|-0",
    "nan|5", "nan", "inf", "Infinity|5", "0x10", "1_000", "$5", "5%", " |5", "2020-01-01|x", "2020-01-01|",
    "2020-01-01 |2020-01-02", "12:30", "2020-01", "5-Jan-20", "2020-01-01T00:00:00.123456789Z", "1/2/20", "1/2/2020",
    "13/1/2020|2/1/2020", "13/1/2020|1/13/2020", "1/13/2020 1:05 PM", "2020-02-30", "0001-01-01", "20200101", "-",
    "null|NA|None", "-1|0", "true|maybe", "\t5", "5\xa0|6", "007|7", "1e400|1", "1" * 30 + "|1",
    "2020-01-13T02:00:00+02:00|2020-01-13 00:00:00Z",
)  # fmt: skip
STATED = {
    "boolean": "true|True|tRUE|t|yes|Yes|y|Y|on|1|01|1.0|0|00|no|No|n|N|false|F| true ||2|-1|NaN|x",
    "long": "1|1_000|1.5|-2.9|1e3| 7 |+3|-0|0x10||inf|9223372036854775808|x|true|1.|.5|\u0663|1e-3|007|- 5|1 000|5%",
    "float": "1|1_000|1.5|-2.9|1e3| 7 |+3|-0|0x10||inf|-INFINITY|nan|1e309|1e-400|x|true|1.|.5|\u0663|infi|1e|1.5.2",
    "string": "1||x| y |nan",
}
DATES = ("2020-01-13|2020-1-3", "2020-01-13|", "2020-01-13|x", "13/01/2020|1/2/2020", "1/2/2020", "x", "", "20200113")


def by_hand() -> Iterator[Table]:
    """Yield the tables that were written for one oddity each."""
    for text in BOTH_WAYS:
        for multi_line in (False, True):
            yield Table((text.encode(),), {"multi_line": multi_line} if multi_line else {})
    for column in COLUMNS:
        yield Table((_column(column),))
    for kind, column in STATED.items():
        yield Table((_column(column),), {"types": {"v": kind}})
    for column in DATES:
        yield Table((_column(column),), {"types": {"v": "datetime"}})
    yield from _encoded()
    yield from _marked()
    yield from _with_odd_characters()
    yield from _of_several_files()
    for separator in ("\t", " ", "|", "'", "1", "||", r"\t", "", "é"):
        yield Table((f"x{separator}b\n5{separator}z\n".encode(),), {"separator": separator})
    for text in ("a,b\n,x\n", "a,b\n5\n", 'a,b\n"",x\n', "a,b\n ,x\n"):
        yield Table((text.encode(),), {"empty_as_string": True})
        yield Table((text.encode(),), {"infer": False})
    yield Table((b"v\n" + b"5\n" * 200 + b"x\n2.9\n",))
    yield Table((b"v\n" + b"2020-01-13\n" * 200 + b"soon\n13/1/2020\n",))
    yield Table((b"a,b\n5,x\n",), {"types": {"c": "long", " b": "long"}})
    yield Table((b"a,a\n5,6,7\n",), {"types": {"a_1": "string", "Column3": "float"}})


def _column(values: str) -> bytes:
    return ("k,v\n" + "".join(f"r,{value}\n" for value in values.split("|"))).encode()


def _encoded() -> Iterator[Table]:
    text = "id,v\r\n5,é€\r\n"
    for name, codec in (("utf16", "utf-16-le"), ("utf16", "utf-16"), ("windows1252", "cp1252"), ("utf8", "utf-8-sig")):
        yield Table((text.encode(codec),), {"encoding": name})
    yield Table(("id,v\n5,x\n".encode("utf-16-be"),), {"encoding": "utf16"})
    yield Table((b"\xfe\xff" + "id,v\n5,x\n".encode("utf-16-be"),), {"encoding": "utf16"})
    yield Table(("id,v\n5,x\n".encode("utf-16-le") + b"\0",), {"encoding": "utf16"})
    for name in ("utf8", "ascii", "latin1", "iso88591", "windows1252", "utf32", "utf8bom", "klingon", "UTF8", "utf-8"):
        yield Table((b"id,v\n5,\xe9\x80\x81\n",), {"encoding": name})
        yield Table((b"\xef\xbb\xbfid,v\n5,x\n",), {"encoding": name})


def _marked() -> Iterator[Table]:
    """Yield tables with the mark that UTF-8 or UTF-16 may start with in other places, too."""
    texts = ("a,b\n\ufeff5,x\n6,\ufeffy\n", "\ufeff\ufeffa,b\n5,x\n", "a,b\n\ufeff\n5,x\n")
    quoted = ('\ufeff"a\nb","c"\n5,x\n', '\ufeff"a,b","c"\n5,x\n', 'a,b\n\ufeff"x,y",5\n', '"a"\n"x\n\ufeffy"\n')
    for text in (*texts, *quoted):
        for codec, encoding in (("utf-8", "utf8"), ("utf-16-le", "utf16")):
            for multi_line in (False, True):
                yield Table((text.encode(codec),), {"encoding": encoding, "multi_line": multi_line})
    yield Table((b"a,b\n5,x\n", b"\xef\xbb\xbfa,b\n6,y\n"))
    yield Table((b"a,b\n\xef\xbb\xbf5,x\n",), {"encoding": "latin1", "multi_line": True})


def _with_odd_characters() -> Iterator[Table]:
    """Yield tables with characters that may count as spaces, or that no name may have."""
    for character in "\x1c\x1f\x85\u180e\u200b\u2028\u3000\ufeff":
        yield Table((f"k,{character}v{character}\nr,{character}5\nr,6{character}\n".encode(),))
        for kind, value in (("long", "5"), ("float", "5.5"), ("boolean", "true")):
            yield Table((f"k,v\nr,{character}{value}{character}\n".encode(),), {"types": {"v": kind}})
    for (
        character
    ) in "\x01\x07\b\v\f\x1b\x1c\x7f\x80\x85\x9f\xa0\xad\u2028\u202e\ue000\ufdd0\ufffe\uffff\U0001f600'\\`{":
        yield Table((f"k,v{character}w\nr,5\n".encode(),))


def _of_several_files() -> Iterator[Table]:
    pairs = (
        (b"a,b\n5,x\n", b"b,a\ny,6\n"),
        (b"a,b\n5,x\n", b"a,b,c\n6,y,z\n"),
        (b"a,b\n5,x\n", b"a\n6\n"),
        (b"", b"a,b\n6,x\n"),
        (b"a,b\n", b"a,b\n6,x\n"),
        (b"a,b\n5,x\n", b""),
        (b"a,a\n5,x\n", b"a,a\n6,y\n"),
        (b"a,b\n5,x,1\n", b"a,b\n6,y,2\n"),
        (b"\n\na,b\n5,x\n", b"\na,b\n6,y\n"),
    )
    headers = ("NO_HEADERS", "ONLY_FIRST_FILE_HAS_HEADERS", "COMBINE_ALL_FILES_HEADERS", "ALL_FILES_HAVE_SAME_HEADERS")
    for header in headers:
        for pair in pairs:
            yield Table(pair, {"header": header})
        for first in (b"", b"\n", b"\r\n", b"\xef\xbb\xbf", b" \n", b"c,d\n"):
            for multi_line in (False, True):
                yield Table((first, b"a,b\n5,x\n", b"a,b\n6\n"), {"header": header, "multi_line": multi_line})
        yield Table((b"", b"a,b\n5,x\n"), {"header": header, "encoding": "latin1"})
        yield Table((b"a,b,c\n5,x\n", b"a,b,d\n6,y,z\n"), {"header": header})


FIELDS = (
    "", '""', "0", "1", "5", "-7", " 5 ", "007", "1.5", "1e3", "nan", "inf", "1_000", "true", "False", "yes", "No", "T",
    "2020-01-13", "2020/1/3", "1/13/2020", "13/1/2020", "2020-01-13T10:11:12Z", "x", "é", "x y", '"x"', '"x;,y"',
    '"x ""y"""', 'x"y', '"x', '"x\ny"', '"x\n\ny"', '"x\r\ny"', "x\ry", "null",
)  # fmt: skip
HEADERS = ("a", "b", " a", "a ", "", '"c"', "A", "a_1", "Column2", "Column4", "é")


def at_random(choice: random.Random) -> Table:
    """Return a table of a few odd fields, read in an odd way."""
    separator = choice.choice((",", ",", ",", ";", "\t", "|"))
    ends = choice.choice(("\n", "\n", "\r\n"))
    width = choice.randint(1, 4)
    pools = [choice.sample(FIELDS, choice.randint(1, 4)) for _ in range(width)]
    lines = [separator.join(choice.choice(HEADERS) for _ in range(width))]
    for _ in range(choice.randint(0, 6)):
        row = [choice.choice(pool) for pool in pools]
        row = row[: choice.randint(1, width)] if choice.random() < 0.1 else row
        row = [*row, choice.choice(FIELDS)] if choice.random() < 0.1 else row
        lines.append(separator.join(row))
        if choice.random() < 0.1:
            lines.append("")
    text = ends.join(lines) + choice.choice((ends, ends, ""))
    options: dict[str, Any] = {"separator": separator} if separator != "," else {}
    if choice.random() < 0.5:
        options["multi_line"] = True
    if choice.random() < 0.1:
        options["empty_as_string"] = True
    if choice.random() < 0.1:
        options["infer"] = False
    if choice.random() < 0.3:
        options["types"] = {choice.choice(("a", "b", "a_1", "Column2")): choice.choice([*STATED, "datetime"])}
    encoding = choice.choice((("utf8", "utf-8"), ("utf8", "utf-8"), ("utf16", "utf-16-le"), ("latin1", "cp1252")))
    if encoding[0] != "utf8":
        options["encoding"] = encoding[0]
    return Table((text.encode(encoding[1]),), options)

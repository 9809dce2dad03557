"""Record what a step's processes read, so that the runner can decide whether an earlier result is still valid.

`begin` starts it in each Python process of a step. A line of what was read is a JSON array, its kind first:

    ["begin", command, is_main, is_forked]      a process of the step; its command line as a number
    ["file", path, signature]                   a file whose content was read; null where nothing was there
    ["list", path, signature]                   a folder whose names were listed
    ["entries", path, level]                    the same, by code that may ask each of its entries (see "stat")
    ["distributions", path]                     the names of what is installed in a folder
    ["stat", path, level, follows, answer]      what was asked of a path: 0 its kind, 1 its size too, 2 its time too
    ["wrote", path], ["made", path], ["touched", path]     what the process made whole, or changed, itself
    ["env", name], ["env", null]                a variable, or the whole environment
    ["import", name], ["absent", name]          a top-level module, and one that was not there
    ["installed", path]                         a file of an installed package
    ["program", command, executable, is_python, name]  a program that the project's code started
    ["argument", path]                          a file or folder that is named on its command line
    ["network", host], ["fact", question], ["secret", name], ["end"]

They go to `<step>/reads-*.jsonl`, a file for each process: of the step's first process at its end, of every other
one at once, since workers are killed. Nothing that goes wrong here reaches the script.
"""

from .files import file
from .notes import fact, pause, quietly, resume, secret
from .recorder import ahead, begin, install, prepare

__all__ = ["ahead", "begin", "fact", "file", "install", "pause", "prepare", "quietly", "resume", "secret"]

"""Lists of requirements, as pip and conda read them."""

from __future__ import annotations

import pytest

from azml_tasks.reading.environment.requirements import conda_fault, lines_of, pip_requirement


@pytest.mark.parametrize(
    ("text", "kind", "file"),
    [
        ("pandas==2.2", "requirement", ""),
        ('numpy>=1.2;python_version<"3.11"', "requirement", ""),
        ("azureml-dataset-runtime[fuse]", "requirement", ""),
        ("git+https://github.com/o/r.git@main#egg=r", "requirement", ""),
        ("own @ https://h/own-1.0.whl", "requirement", ""),
        ("https://h/own-1.0.whl", "requirement", ""),
        ("-r requirements.txt", "requirements", "requirements.txt"),
        ("-rrequirements.txt", "requirements", "requirements.txt"),
        ("--requirement='a b.txt'", "requirements", "a b.txt"),
        ("-c 'limits.txt'", "constraints", "limits.txt"),
        ("-r https://h/requirements.txt", "requirements", ""),
        ("-e .", "editable", "."),
        ("-e ./own[dev]", "editable", "./own"),
        ("--editable git+https://github.com/o/r.git#egg=r", "editable", ""),
        ("-e file:///srv/own#egg=own", "editable", "/srv/own"),
        ("./wheels/own-1.0-py3-none-any.whl", "path", "./wheels/own-1.0-py3-none-any.whl"),
        ("own-1.0.tar.gz ; python_version > '3'", "path", "own-1.0.tar.gz"),
        ("lib/own[extra]", "path", "lib/own"),
        ("..", "path", ".."),
        ("own @ file:///srv/own%20one.whl", "path", "/srv/own one.whl"),
        ("file:own.whl", "path", "own.whl"),
        ("git+file:///srv/r.git", "path", "/srv/r.git"),
        ("C:\\wheels\\own.whl", "path", "C:\\wheels\\own.whl"),
        ("-f wheels", "links", "wheels"),
        ("--find-links https://h/wheels", "links", ""),
        ("--index-url file:///srv/index", "links", "/srv/index"),
        ("--extra-index-url https://h/simple", "option", ""),
        ("--no-index", "option", ""),
        (f"pandas --hash=sha256:{'0a' * 32}", "requirement", ""),
    ],
)
def test_what_a_line_is_and_which_file_of_this_machine_it_names(text, kind, file):
    (line,) = lines_of(text)

    assert (line.kind, line.file, line.fault) == (kind, file, "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pandas=2.2", "pip cannot read 'pandas=2.2'; did you mean 'pandas==2.2'?"),
        ("pandas 2.2", "pip cannot read 'pandas 2.2'; did you mean 'pandas==2.2'?"),
        ("pandas --hash=md5:0a", "'--hash=md5:0a' is not a digest that pip accepts; write --hash=sha256:DIGEST"),
        ("pandas --hash=sha256:0a", "'--hash=sha256:0a' is not a digest that pip accepts; write --hash=sha256:DIGEST"),
        ("-i pypi.org/simple", "-i: 'pypi.org/simple' is not a URL; did you mean 'https://...'?"),
        ("https:/h/own.whl", "'https:/h/own.whl' is a URL without a host"),
        (
            "python==3.10",
            "'python==3.10': pip does not install Python; set python_version, or in a conda file write `- python=3.10`",
        ),
        ("pip install pandas", "pip cannot read 'pip install pandas'; write only packages, one per line"),
        ("-U pandas", "pip cannot read '-U pandas' (no such option: -U)"),
        ("--quiet", "pip cannot read '--quiet' (no such option: --quiet)"),
        ("-r", "pip cannot read '-r' (-r option requires 1 argument)"),
        ("--index-url", "pip cannot read '--index-url' (--index-url option requires 1 argument)"),
        ("-r 'a", "pip cannot read '-r 'a' (no closing quotation)"),
    ],
)
def test_what_pip_cannot_read(text, fault):
    (line,) = lines_of(text)

    assert line.fault == fault


@pytest.mark.parametrize(
    "text", ["scikit learn", "pandas>=", "pandas>>2", "pandas==2.2.x.y", "[dev]", "a,b", "pandas;"]
)
def test_what_else_pip_cannot_read_is_reported_with_its_own_reason(text):
    (line,) = lines_of(text)

    assert line.fault.startswith(f"pip cannot read '{text}' (")


def test_lines_are_joined_and_comments_left_out():
    text = "# first\n\npandas \\\n  >=2 # why\n  # a comment\n-r a.txt\nown @ https://h/x#egg=own\n"

    assert [(line.number, line.text) for line in lines_of(text)] == [
        (3, "pandas   >=2"),
        (6, "-r a.txt"),
        (7, "own @ https://h/x#egg=own"),
    ]


@pytest.mark.parametrize(
    ("package", "requirement"),
    [
        ("numpy", "numpy"),
        ("numpy=1.26", "numpy==1.26.*"),
        ("numpy=1.26.*", "numpy==1.26.*"),
        ("numpy==1.26", "numpy==1.26"),
        ("numpy 1.26", "numpy==1.26"),
        ("numpy 1.26*", "numpy==1.26.*"),
        ("numpy = 1.26", "numpy==1.26.*"),
        ("numpy=1.26.4=py310h1_0", "numpy==1.26.4"),
        ("numpy 1.26.4 py310h1_0", "numpy==1.26.4"),
        ("blas=*=openblas", "blas"),
        ("numpy>=1.2,<2", "numpy>=1.2,<2"),
        ("numpy!=1.2.*", "numpy!=1.2.*"),
        ("numpy>=1.2.*", "numpy>=1.2"),
        ("conda-forge::numpy=1.2", "numpy==1.2.*"),
        ("conda-forge/linux-64::numpy", "numpy"),
        ("numpy[version='>=1.2,<2']", "numpy>=1.2,<2"),
        ("numpy=1.2|1.3", None),
        ("_openmp_mutex", None),
        ("", None),
    ],
)
def test_what_pip_calls_a_package_of_conda_s(package, requirement):
    assert pip_requirement(package) == requirement


@pytest.mark.parametrize(
    "package",
    [
        *(
            "numpy",
            "numpy=1.21.2",
            "numpy ==1.26",
            "numpy 1.26 py310_0",
            "numpy>= 1.20, <2",
            "scipy~=1.11",
            "x264=1!152.2",
        ),
        *(
            "blas=*=openblas",
            "libblas=*=*mkl",
            "jpeg=9e",
            "openssl=1.1.1s",
            "tzdata=2023c",
            "mpi4py=3.1.*",
            "numpy 1.26|1.25",
        ),
        *(
            "pytorch=2.1.0=py3.10_cuda12.1_cudnn8.9.2_0",
            "conda-forge/linux-64::lightgbm",
            "libgcc-ng >=12",
            "_libgcc_mutex=0.1=main",
        ),
        *(
            "numpy[version='>=1.20,<2']",
            "pytorch[build=*cuda*]",
            "python=3.9|3.10",
            "python",
            "python=3",
            "python_abi=3.10",
        ),
        *(
            "https://h/linux-64/x-1.0-0.tar.bz2",
            "python=${PY}",
            "nodejs>=14,!=15.*,<19",
            "gxx_linux-64=9",
            "python>=3.8",
        ),
    ],
)
def test_conda_reads_a_package(package):
    assert conda_fault(package) == ""


@pytest.mark.parametrize(
    "package",
    [
        *(
            "python=abc",
            "python=310",
            "python=3.100",
            "python=4.0",
            "python3.10",
            "python=",
            "py thon",
            "pandas>=",
            "numpy=>1",
        ),
        *(
            "numpy=latest",
            "numpy===1",
            "numpy!1",
            "numpy>=1,",
            "numpy, pandas",
            "numpy >=1.2 <2",
            "numpy[version=1.2",
            "numpy=1..2",
        ),
        *(
            "uvicorn[standard]",
            "numpy; python_version<'3.9'",
            "git+https://h/r",
            "-r x",
            "numpy@1.2",
            "conda-forge/numpy",
            "",
        ),
    ],
)
def test_conda_cannot_read_a_package(package):
    assert conda_fault(package) != ""

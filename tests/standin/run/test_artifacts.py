"""The files of a run: uploads, what lies under outputs/ and logs/, downloads."""

from __future__ import annotations

from tests.standin.step import Step


def test_uploads_and_what_lies_under_outputs_are_the_runs_files(step: Step) -> None:
    script = """
        import io, json, os
        from azureml.core import Run

        run = Run.get_context()
        for path in ("outputs/deep/model.pkl", "logs/a.txt", "plots/1.png", "plots/old/2.png", "data.csv"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            open(path, "w").write(path)
        run.upload_file("given/data.csv", "data.csv")
        run.upload_file(name="./stream.bin", path_or_stream=io.BytesIO(b"bytes"))
        run.upload_folder("figures", "plots")
        run.upload_files(["one", "two"], ["data.csv", "logs/a.txt"])
        os.chdir("/")
        print(json.dumps(run.get_file_names()))
    """

    assert step.answers(script) == [
        "figures/1.png",
        "figures/old/2.png",
        "given/data.csv",
        "logs/a.txt",
        "one",
        "outputs/deep/model.pkl",
        "stream.bin",
        "two",
    ]
    artifacts = step.folder / "artifacts"
    assert {str(p.relative_to(artifacts)): p.read_text() for p in artifacts.rglob("*") if p.is_file()} == {
        "figures/1.png": "plots/1.png",
        "figures/old/2.png": "plots/old/2.png",
        "given/data.csv": "data.csv",
        "one": "data.csv",
        "stream.bin": "bytes",
        "two": "logs/a.txt",
    }


def test_what_cannot_be_uploaded_raises_what_the_sdk_raises(step: Step) -> None:
    printed = step.run("""
        import pathlib
        from azureml.core import Run

        run = Run.get_context()
        open("data.csv", "w").close()
        run.upload_file("data.csv", "data.csv")
        for upload in (
            lambda: run.upload_file("data.csv", "data.csv"),
            lambda: run.upload_file("missing.csv", "missing.csv"),
            lambda: run.upload_file("path", pathlib.Path("data.csv")),
            lambda: run.upload_file("../../out", "data.csv"),
            lambda: run.upload_folder("folder", "data.csv"),
            lambda: run.upload_files(["a"], ["data.csv", "data.csv"]),
        ):
            try:
                upload()
            except Exception as error:
                print(f"{type(error).__name__}: {str(error).replace(str(pathlib.Path().absolute()), '.')}")
    """)

    assert printed.splitlines() == [
        "AzureMLAggregatedException: ResourceConflict: the run already has a file 'data.csv'",
        "FileNotFoundError: [Errno 2] No such file or directory: './missing.csv'",
        "UserErrorException: a file to upload must be a path (str) or an open file, not PosixPath",
        "UserErrorException: '../../out' is not a valid file name in a run",
        "UserErrorException: cannot upload 'data.csv': it is not a folder",
        "TypeError: names and paths must have the same length: got 1 names and 2 paths",
    ]


def test_downloads(step: Step) -> None:
    printed = step.run("""
        import os
        from azureml.core import Run

        run = Run.get_context()
        os.makedirs("outputs/deep")
        os.makedirs("logs")
        for path in ("outputs/a.txt", "outputs/deep/b.txt", "logs/c.txt"):
            open(path, "w").write(path)
        os.mkdir("into")
        run.download_file("outputs/a.txt")
        run.download_file("outputs/a.txt", "into")
        run.download_file("outputs/a.txt", "new/name.txt")
        run.download_files(prefix="outputs", output_directory="all")
        run.download_files(prefix="outputs", output_directory="bare", append_prefix=False)
        print(run.get_all_logs("kept"))
        for path, _, names in sorted(os.walk(".")):
            print(*(os.path.join(path, name) for name in sorted(names)))
        try:
            run.download_file("outputs/c.txt")
        except Exception as error:
            print(type(error).__name__, error)
    """)

    lines = [line for line in printed.splitlines() if line and not line.startswith(("./outputs", "./logs"))]
    assert lines == [
        "['kept/logs/c.txt']",
        "./a.txt ./script.py",
        "./all/outputs/a.txt",
        "./all/outputs/deep/b.txt",
        "./bare/a.txt",
        "./bare/deep/b.txt",
        "./into/a.txt",
        "./kept/logs/c.txt",
        "./new/name.txt",
        "UserErrorException the run has no file 'outputs/c.txt'; it has: logs/c.txt, outputs/a.txt, outputs/deep/b.txt",
    ]

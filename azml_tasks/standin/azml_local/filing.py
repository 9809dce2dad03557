"""What a run does with files: uploads, downloads and models."""

from __future__ import annotations


class Filing:
    """The part of a run that keeps files."""

    def upload_file(self, name, path_or_stream, datastore_name=None):
        """Add a file to the run; its name must be new."""
        self._folder.artifacts.put(name, path_or_stream)

    def upload_folder(self, name, path, datastore_name=None):
        """Add a folder's files to the run, under a name."""
        from .artifacts import folder_files

        for file in folder_files(path):
            self._folder.artifacts.put(name + file[len(path) :], file)

    def upload_files(self, names, paths, return_artifacts=False, timeout_seconds=None, datastore_name=None):
        """Add several files to the run."""
        if len(names) != len(paths):
            raise TypeError(f"names and paths go in pairs: there are {len(names)} names and {len(paths)} paths")
        for name, path in zip(names, paths):  # noqa: B905 - their lengths were just compared
            self._folder.artifacts.put(name, path)

    def get_file_names(self):
        """Return the names of the run's files."""
        return self._folder.artifacts.names()

    def download_file(self, name, output_file_path=None, _validate_checksum=False):
        """Copy a file of the run to a path, by default to its own name in the current folder."""
        import os

        self._folder.artifacts.get(name, output_file_path or os.path.basename(name))

    def download_files(
        self,
        prefix=None,
        output_directory=None,
        output_paths=None,
        batch_size=100,
        append_prefix=True,
        timeout_seconds=None,
    ):
        """Copy the run's files, or those under a prefix, to a folder."""
        from .artifacts import download_files

        download_files(self._folder.artifacts, prefix, output_directory, output_paths, append_prefix)

    def get_all_logs(self, destination=None):
        """Copy the run's logs to a folder; returns their paths."""
        from .artifacts import download_logs

        return download_logs(self._folder.artifacts, destination)

    def get_snapshot_id(self):
        """Return the id of the run's snapshot; a local run has none."""
        return self.get_properties().get("ContentSnapshotId")

    def register_model(  # noqa: PLR0913, PLR0917 - the SDK's signature
        self,
        model_name,
        model_path=None,
        tags=None,
        properties=None,
        model_framework=None,
        model_framework_version=None,
        description=None,
        datasets=None,
        sample_input_dataset=None,
        sample_output_dataset=None,
        resource_configuration=None,
        **kwargs,
    ):
        """Register a file or folder of the run as a model; the path defaults to the model's name."""
        from .model import register_from_run

        return register_from_run(
            self,
            model_name,
            model_path,
            tags=tags,
            properties=properties,
            model_framework=model_framework,
            model_framework_version=model_framework_version,
            description=description,
            datasets=datasets,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
        )

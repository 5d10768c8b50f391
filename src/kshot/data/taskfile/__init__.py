"""The task file: strict YAML, every error with its line."""

from kshot.data.taskfile.file import TaskFile, json_schema, load_task_file, task_file_of

__all__ = ["TaskFile", "json_schema", "load_task_file", "task_file_of"]

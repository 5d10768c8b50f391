"""The task file: strict YAML, every error with its line, paths relative to the file, no secrets in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from kshot.data.nearest import no_such_path
from kshot.data.taskfile.messages import secret_sentences, sentences
from kshot.data.taskfile.settings import (
    BudgetSection,
    CocktailSection,
    DataSection,
    ExamplesSection,
    ExpertsSection,
    FoldsSection,
    HeldOutSection,
    KnowledgeSection,
    MixtureSection,
    ModelSection,
    PandaSection,
    ReportSection,
    Section,
    TaskSection,
    Text,
    Texts,
)
from kshot.data.taskfile.yaml_tree import Place, YamlTree, read_yaml
from kshot.errors import TaskError, collected

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_ROW_FILE = re.compile(r"\.(jsonl|ndjson|json|csv|tsv|parquet|ya?ml)$", re.IGNORECASE)
_DEFAULT_METRICS = {
    "classification": "macro_f1",
    "choice": "choice",
    "generation": "exact_match",
    "extraction": "token_f1",
}


def _path_alone(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class TaskFile(Section):
    """A task file as read: sections with their defaults, and where it lies.

    Example::

        settings = load_task_file("task.yaml")
        settings.resolve("shots.jsonl")  # a Path beside task.yaml
    """

    version: Literal[1]
    task: TaskSection
    examples: ExamplesSection
    test: Annotated[HeldOutSection | None, BeforeValidator(_path_alone)] = None
    folds: FoldsSection = FoldsSection()
    metric: Text | None = Field(default=None, description="Default by type; or file.py:function")
    model: ModelSection | None = None
    embedder: Text = Field(
        default="hashing", description="hashing, or a folder or hub id of sentence-transformers"
    )
    knowledge: KnowledgeSection = KnowledgeSection()
    experts: ExpertsSection = ExpertsSection()
    data: DataSection = DataSection()
    mixture: MixtureSection = MixtureSection()
    cocktail: CocktailSection = CocktailSection()
    panda: PandaSection = PandaSection()
    systems: Texts = Field(default=(), description="The systems to compare; default: all that can be built")
    budget: BudgetSection = BudgetSection()
    report: ReportSection = ReportSection()
    miniature: bool = False

    _path: Path = PrivateAttr(default=Path("task.yaml"))
    _tree: YamlTree = PrivateAttr(default_factory=lambda: YamlTree("settings", None))

    @model_validator(mode="after")
    def _one_way_to_test(self) -> Self:
        if self.test is not None and "folds" in self.model_fields_set:
            raise PydanticCustomError(
                "folds", "both test and folds are given; folds are for tasks without a test file"
            )
        return self

    @property
    def folder(self) -> Path:
        """What relative paths in the file are relative to."""
        return self._path.parent

    @property
    def name(self) -> str:
        """The task's name; the name of the file where none is given."""
        return self.task.name or self._path.stem

    @property
    def chosen_metric(self) -> str:
        """The metric, or the default of the task's type; a user's ``file.py:function`` with its full path."""
        metric = self.metric or _DEFAULT_METRICS[self.task.type]
        file, colon, function = metric.rpartition(":")
        if not file.endswith(".py"):
            return metric
        found = self.folder / _home(file)
        if not os.path.isfile(found):  # noqa: PTH113 - as in resolve
            raise TaskError(f"{self._tree.where(('metric',))}: metric {metric!r}: {_no_file(found)}")
        return f"{found.absolute()}{colon}{function}"

    def resolve(self, value: str) -> Path | str:
        """A local path where ``value`` exists beside the file; else the value, taken for a hub id.

        Raises:
            TaskError: The value does not exist, and looks like a path or can be no hub id.
        """
        local = self.folder / _home(value)
        if os.path.exists(local):  # noqa: PTH110 - Path.exists raises on names that are too long
            return local
        if value.startswith((".", "/", "~")) or value.count("/") > 1 or _ROW_FILE.search(value):
            raise TaskError(f"{self._where(value)}: {value!r}: {no_such_path(local)}")
        if not _HUB_ID.fullmatch(value):
            raise TaskError(
                f"{self._where(value)}: {value!r} is neither an existing path nor a hub id (owner/name)"
            )
        return value

    def with_draw(self, *, k: int | None = None, seed: int | None = None) -> TaskFile:
        """The same settings with another draw of shots, as a command line may ask for.

        Raises:
            TaskError: ``k`` or ``seed`` is out of range.
        """
        given = {name: value for name, value in (("k", k), ("seed", seed)) if value is not None}
        if not given:
            return self
        data = self.model_dump(exclude_unset=True)
        data["examples"] |= given
        return _checked(data, self._tree, self._path)

    def with_systems(self, names: tuple[str, ...]) -> TaskFile:
        """The same settings with other systems to compare, as a command line may ask for."""
        data = self.model_dump(exclude_unset=True) | {"systems": names}
        return _checked(data, self._tree, self._path)

    def with_sections(self, **sections: Mapping[str, Any] | str) -> TaskFile:
        """The same settings with values of sections, or single values, replaced, as a command line may ask.

        Raises:
            TaskError: A value is out of range.
        """
        data = self.model_dump(exclude_unset=True)
        for name, values in sections.items():
            data[name] = values if isinstance(values, str) else data.get(name, {}) | dict(values)
        return _checked(data, self._tree, self._path)

    def with_labels(self, labels: tuple[str, ...]) -> TaskFile:
        """The same settings with the labels written out, as they were found in the labelled rows."""
        data = self.model_dump(exclude_unset=True)
        data["task"]["labels"] = labels
        return _checked(data, self._tree, self._path)

    def absolute(self) -> dict[str, Any]:
        """The settings as a JSON object whose paths do not depend on where the file lies."""
        data = self.model_dump(mode="json", exclude_unset=True)
        data["task"]["name"] = self.name
        if self.metric is not None:
            data["metric"] = self.chosen_metric
        for place, value in self._places():
            found = self.resolve(value)
            inner: Any = data
            for part in place[:-1]:
                inner = inner[part]
            inner[place[-1]] = str(found.absolute()) if isinstance(found, Path) else found
        return data

    @classmethod
    def from_absolute(cls, data: Mapping[str, Any]) -> TaskFile:
        """The settings that ``absolute`` gave.

        Raises:
            TaskError: The object is none.
        """
        return _checked(data, YamlTree("settings", data), Path("/") / "task.json")

    def check_places(self) -> None:
        """Looks whether everything exists that must.

        Raises:
            TaskError: A path is named that does not exist.
        """
        faults = []
        for _, value in self._places():
            try:
                self.resolve(value)
            except TaskError as error:
                faults.append(str(error))
        if faults:
            raise TaskError(collected(faults))

    def _places(self) -> Iterator[tuple[Place, str]]:
        """Everything that is a path or a hub id, with its place in the file."""
        yield ("examples", "path"), self.examples.path
        if self.test is not None:
            yield ("test", "path"), self.test.path
        if self.model is not None and self.model.base is not None:
            yield ("model", "base"), self.model.base
        if self.embedder != "hashing":
            yield ("embedder",), self.embedder
        if self.data.embedder not in (None, "hashing", "model"):
            yield ("data", "embedder"), self.data.embedder
        if self.knowledge.expert is not None:
            yield ("knowledge", "expert"), self.knowledge.expert
        for key in ("adapters", "models", "datasets"):
            for index, value in enumerate(getattr(self.knowledge, key)):
                yield ("knowledge", key, index), value

    def _where(self, value: str) -> str:
        place = next((place for place, found in self._places() if found == value), ())
        return self._tree.where(place)


def load_task_file(path: str | os.PathLike[str]) -> TaskFile:
    """Reads and checks a task file; the rows it names are not read.

    Raises:
        TaskError: The file cannot be read, is no strict YAML, has unknown or missing keys or values of
            the wrong type (three shown, all counted), holds a secret, or names a path that does not exist.
    """
    path = Path(path)
    tree = read_yaml(path)
    if not isinstance(tree.value, dict):
        raise TaskError(f"{tree.where(())}: found no keys, expected version, task, examples")
    settings = _checked(tree.value, tree, path)
    settings.check_places()
    return settings


def task_file_of(data: Mapping[str, Any]) -> TaskFile:
    """Settings from a Python mapping with the task file's keys; paths are relative to the working folder.

    Raises:
        TaskError: As ``load_task_file``.
    """
    return _checked(data, YamlTree("settings", dict(data)), Path("task.yaml"))


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the task file, for editors.

    >>> sorted(json_schema()["required"])
    ['examples', 'task', 'version']
    """
    schema = TaskFile.model_json_schema()
    schema["properties"]["test"]["anyOf"].insert(0, {"type": "string", "minLength": 1})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "kshot task file"}


def _checked(data: Mapping[str, Any], tree: YamlTree, path: Path) -> TaskFile:
    if found := secret_sentences(data, tree):
        raise TaskError(collected(found))
    try:
        settings = TaskFile.model_validate(dict(data))
    except ValidationError as error:
        # from None: pydantic's own message repeats the values, which may hold what nobody should see
        raise TaskError(collected(sentences(error, TaskFile, tree))) from None
    settings._path, settings._tree = path, tree
    return settings


def _no_file(path: Path) -> str:
    """What is wrong with a path that should be a file and is none."""
    if not os.path.exists(path):  # noqa: PTH110 - as in resolve
        return no_such_path(path)
    kind = "a folder" if path.is_dir() else "no ordinary file"
    return f"{path} is {kind}; expected file.py:function"


def _home(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:
        return Path(value)

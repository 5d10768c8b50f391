"""A recipe for a bank: strict YAML, every error with its line; the paper's ships with kshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from pydantic import ValidationError

from kshot.data.nearest import no_such_path, proposal
from kshot.data.taskfile.messages import sentences
from kshot.data.taskfile.settings import SECRET
from kshot.data.taskfile.yaml_tree import Place, YamlTree, parse_yaml
from kshot.data.template import ReasoningOrder
from kshot.errors import InputError, ModelError, collected
from kshot.models.train import TrainSettings
from kshot.pipeline.bank_build.settings import (
    BANK,
    DatasetSection,
    RecipeSection,
    train_settings,
)

SHIPPED = {"paper": "paper_bank.yaml"}


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One adapter to build: a dataset, and whether its reasoning is learned."""

    name: str
    entry: DatasetSection
    reasoning: ReasoningOrder

    @property
    def weight(self) -> int:
        """Rows to learn from, as far as the recipe tells: what the time left is reckoned by."""
        return self.entry.limit or self.entry.expected_rows or 1000


@final
@dataclass(frozen=True, slots=True)
class BankRecipe:
    """A recipe as read.

    Attributes:
        settings: All but the datasets.
        entries: The datasets, in the order of the file.
        path: Where it lies: local files are relative to it.
    """

    settings: RecipeSection
    entries: tuple[DatasetSection, ...]
    path: Path

    @property
    def name(self) -> str:
        """Its name; the name of the file where none is given."""
        return self.settings.name or self.path.stem

    def jobs(self) -> tuple[Job, ...]:
        """The adapters that it describes, in its order; one with ``cot`` comes twice."""
        found = []
        for entry in self.entries:
            found.append(Job(str(entry.name), entry, entry.reasoning))
            if entry.cot:
                order: ReasoningOrder = "answer_first" if entry.reasoning == "none" else entry.reasoning
                plain = Job(str(entry.name), entry, "none")
                found[-1:] = [plain, Job(f"{entry.name}-cot", entry, order)]
        return tuple(found)

    def training(self, job: Job) -> TrainSettings:
        """How an adapter is trained: the paper's settings for its bank under the recipe's seed, then what the
        recipe says for all, then what the dataset says.

        Raises:
            ModelError: A value is out of range.
        """
        start = replace(BANK, seed=self.settings.seed)
        return train_settings(train_settings(start, self.settings.training), job.entry.training)

    def files_of(self, entry: DatasetSection) -> tuple[Path, ...]:
        """The local files of a dataset."""
        return tuple(self.path.parent / _home(name) for name in entry.path)


def load_recipe(name: str | Path) -> BankRecipe:
    """A recipe from a file, or one that ships with kshot by its name (``paper``).

    Raises:
        InputError: The file cannot be read, is no strict YAML, or has unknown, missing or wrong keys (three
            shown, all counted).
    """
    path = recipe_file(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the recipe cannot be read ({error})") from None
    if not text.strip():
        raise InputError(f"{path}: the recipe is empty; `kshot bank recipe paper` prints one to start from")
    tree = parse_yaml(text, name=path.name)
    if not isinstance(tree.value, dict):
        raise InputError(f"{tree.where(())}: found no keys, expected datasets")
    return _checked(tree.value, tree, path)


def recipe_file(name: str | Path) -> Path:
    """Where a recipe lies.

    Raises:
        InputError: There is no such file, nor such a recipe.
    """
    if str(name) in SHIPPED:
        return Path(__file__).parent / SHIPPED[str(name)]
    path = Path(name)
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; give the recipe in it")
    if not path.is_file():
        shipped = ", ".join(SHIPPED)
        close = proposal(str(name), SHIPPED) or f": {no_such_path(path)}"
        raise InputError(f"{path}: no recipe file, and no recipe of kshot's ({shipped}){close}")
    return path


def _home(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # of a user who does not exist
        return Path(name)


def _checked(data: Mapping[str, Any], tree: YamlTree, path: Path) -> BankRecipe:
    if secret := [tree.where(place) for place, text in _texts(data, ()) if SECRET.search(text)]:
        raise InputError(f"{secret[0]}: this looks like a secret key (not shown); none may stand in a recipe")
    faults: list[str] = []
    entries: list[DatasetSection] = []
    try:
        settings = RecipeSection.model_validate(dict(data))
    except ValidationError as error:
        raise InputError(collected(sentences(error, RecipeSection, tree))) from None
    for number, given in enumerate(settings.datasets):
        part = _part(tree, ("datasets", number))
        try:
            entries.append(DatasetSection.model_validate(given))
        except ValidationError as error:
            faults += sentences(error, DatasetSection, part)
    recipe = BankRecipe(settings, tuple(entries), path)
    if faults := faults or _faults(recipe, tree):
        raise InputError(collected(faults))
    return recipe


def _faults(recipe: BankRecipe, tree: YamlTree) -> list[str]:
    if not recipe.entries:
        return [f"{tree.where(('datasets',))}: the recipe names no datasets; give at least one"]
    found = []
    seen: dict[str, str] = {}
    for job in recipe.jobs():
        where = tree.where(("datasets", recipe.entries.index(job.entry), "name"))
        folded = job.name.casefold()  # some disks take Smith and smith for one folder
        if folded in seen:
            found.append(f"{where}: the name {job.name!r} stands twice (first in {seen[folded]}); rename one")
        seen.setdefault(folded, where)
        try:
            recipe.training(job)
        except ModelError as error:
            found.append(f"{where}: {error}")
        for file in recipe.files_of(job.entry):
            if not file.is_file() and f"{where}: {no_such_path(file)}" not in found:
                found.append(f"{where}: {no_such_path(file)}")
    return found


def _part(tree: YamlTree, place: Place) -> YamlTree:
    """One dataset as a tree of its own, so that its findings name its keys alone."""
    lines = {key[len(place) :]: line for key, line in tree.lines.items() if key[: len(place)] == place}
    return YamlTree(tree.name, None, lines)


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield from _texts(inner, (*place, key))

"""The sections of a recipe for a bank: their keys, types and defaults."""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Any, Literal, Self, TypeAlias, get_type_hints

from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from kshot.data.formats.columns import RowFormat
from kshot.data.formats.dataset_columns import AnswerIs, RowMapping
from kshot.data.formats.field_template import FieldTemplate
from kshot.data.taskfile.settings import Count, Limit, Section, Seed, Text, Texts
from kshot.data.template import ReasoningOrder
from kshot.errors import DataError
from kshot.models.train import PAPER, TrainSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_TAKEN = frozenset({"bank.json", "events.jsonl", "manifest.json", "steps"})
PARQUET = "refs/convert/parquet"  # where the hub keeps every dataset as Parquet files
BANK = dataclasses.replace(PAPER, epochs=3)


def _adapter_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PydanticCustomError(
            "name", "a name becomes a folder: letters, digits, dots, dashes and underscores, 80 at most"
        )
    if name.casefold() in _TAKEN:
        raise PydanticCustomError("name", "this name is taken by a file of the bank's own; choose another")
    return name


def _hub_id(name: str) -> str:
    if not _HUB_ID.fullmatch(name):
        raise PydanticCustomError("hub", "this is no id of the hub; expected owner/name")
    return name


def _within(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise PydanticCustomError(
                "files", "expected names within the dataset, such as data/train-*.parquet"
            )
    return names


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _tupled(value: Any) -> Any:
    """YAML has lists only."""
    return tuple(_tupled(entry) for entry in value) if isinstance(value, list) else value


OneOrMore: TypeAlias = Annotated[Texts, BeforeValidator(_listed)]
_FIELDS: dict[str, Any] = {
    name: (Annotated[hint, BeforeValidator(_tupled)], None)
    for name, hint in get_type_hints(TrainSettings).items()
}
# one key for each field of TrainSettings; what is not given stays as it was
TrainingSection: Any = create_model("TrainingSection", __base__=Section, **_FIELDS)


def train_settings(start: TrainSettings, section: Any) -> TrainSettings:
    """The settings with what a section gives; what it leaves out stays.

    Raises:
        ModelError: A value is out of range.
    """
    return dataclasses.replace(start, **section.model_dump(exclude_unset=True)) if section else start


class BaseSection(Section):
    """How the base model is loaded; which one it is, the command says."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Text = "auto"
    template: Literal["auto", "chat", "plain"] = "auto"
    batch_tokens: Count = 8192


class HeldOutSection(Section):
    """Rows of each dataset that no adapter learns from: what its held-out loss is measured on."""

    rows: Annotated[int, Field(ge=0)] = 64
    share: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.1, description="Of the rows, at most")


class DatasetSection(Section):
    """One dataset, and how its rows are read; it becomes one adapter, or two with ``cot``."""

    name: Annotated[str, AfterValidator(_adapter_name)] | None = None
    path: OneOrMore = Field(default=(), description="Local files, relative to the recipe")
    hub: Annotated[str, AfterValidator(_hub_id)] | None = None
    config: Text = "default"
    split: Text = "train"
    revision: Text | None = Field(default=None, description="A branch, tag or commit")
    files: Annotated[OneOrMore, AfterValidator(_within)] = Field(
        default=(), description="Files within the hub's dataset; default: its Parquet version"
    )
    format: Literal["auto"] | RowFormat = Field(default="auto", description="Of rows without columns")
    columns: dict[str, Annotated[str | tuple[str, ...], BeforeValidator(_tupled)]] = Field(
        default={}, description="Parts of a row as templates: instruction, input, output; or choices, answer"
    )
    answer_is: AnswerIs = "letter"
    counted_from: Literal[0, 1] = 0
    values: dict[str, dict[str, str]] = Field(default={}, description="Other texts for a column's values")
    where: dict[str, str] = Field(default={}, description="Only rows whose column has this value")
    reasoning: ReasoningOrder = Field(default="none", description="Where the reasoning of rows is learned")
    cot: bool = Field(default=False, description="A second adapter NAME-cot that learns reasoning too")
    limit: Count | None = Field(default=None, description="Rows, drawn by the seed")
    expected_rows: Count | None = Field(
        default=None, description="For the time left, and to be compared with"
    )
    training: TrainingSection | None = None
    licence: Text | None = None
    verified: bool = Field(default=True, description="Whether id and columns were tried on the hub")
    note: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.name is None:
            raise PydanticCustomError("name", "key 'name' is missing; every dataset needs one")
        if bool(self.path) == (self.hub is not None):
            raise PydanticCustomError("place", "give path: FILE or hub: owner/name, one of them")
        strangers = {"config", "split", "revision", "files"} & self.model_fields_set if self.path else set()
        if strangers:
            raise PydanticCustomError(
                "place", "{key} is for datasets of the hub, not for local files", {"key": min(strangers)}
            )
        if not self.columns and {"answer_is", "counted_from", "values"} & self.model_fields_set:
            raise PydanticCustomError("columns", "answer_is, counted_from and values need columns")
        try:
            self.mapping()
            self.conditions()
        except DataError as error:
            raise PydanticCustomError("columns", "{text}", {"text": str(error)}) from None
        return self

    def conditions(self) -> tuple[tuple[FieldTemplate, str], ...]:
        """What ``where`` asks of a row: columns, and the texts that they must hold.

        Raises:
            DataError: A path is wrong.
        """
        return tuple((FieldTemplate.parse(f"{{{path}?}}"), value) for path, value in self.where.items())

    def mapping(self) -> RowMapping | None:
        """How rows become examples; None: as kshot reads rows of known formats.

        Raises:
            DataError: The columns are wrong.
        """
        if not self.columns:
            return None
        return RowMapping.of(
            self.columns, answer_is=self.answer_is, counted_from=self.counted_from, lookups=self.values
        )

    @property
    def dataset_id(self) -> str:
        """What the card of an adapter calls its training data."""
        return self.hub or str(self.name)


class RecipeSection(Section):
    """The recipe around its datasets, which are checked one by one."""

    version: Literal[1] = 1
    name: Text | None = None
    note: str = ""
    model: BaseSection = BaseSection()
    training: TrainingSection | None = None
    held_out: HeldOutSection = HeldOutSection()
    most_dropped: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.1, description="A dataset fails if more than this share of its rows cannot be used"
    )
    seed: Seed = 0
    minutes: Limit | None = Field(default=None, description="After which no further adapter is begun")
    datasets: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = ()

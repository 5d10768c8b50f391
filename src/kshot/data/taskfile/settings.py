"""The sections of a task file: their keys, types and defaults."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from kshot.data.formats.columns import RowFormat
from kshot.data.template import TaskKind

SECRET = re.compile(
    r"(?<![A-Za-z0-9])(sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{12,})"
)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


def _variable_name(value: str) -> str:
    # A key may look like a name in capitals; one without any _ and this long is no name that people give.
    if not _VARIABLE.fullmatch(value) or (len(value) > 24 and "_" not in value):
        raise PydanticCustomError(
            "secret",
            "this is not the name of an environment variable (not shown, as it may be the key itself); "
            "put the key into a variable and its name, such as OPENAI_API_KEY, here",
        )
    return value


def _endpoint_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        has_secret = bool(parts.username or parts.password or parts.query or parts.fragment)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        has_secret, fits = False, False
    if has_secret:
        raise PydanticCustomError(
            "secret",
            "the URL holds a user name, password or query (not shown); name its variable in api_key_env",
        )
    if not fits:
        raise PydanticCustomError("url", "expected a URL that begins with http:// or https://")
    return value


def _label_names(labels: tuple[str, ...]) -> tuple[str, ...]:
    for label in labels:
        if not label.strip() or label != label.strip():
            raise PydanticCustomError(
                "labels", "a label is empty or has white space at its ends; write it plainly"
            )
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise PydanticCustomError("labels", "label {label} stands twice; keep one", {"label": repr(twice)})
    if len(labels) == 1:
        raise PydanticCustomError(
            "labels", "there is one label only; a task needs two or more, or none listed here"
        )
    return labels


Count: TypeAlias = Annotated[int, Field(ge=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0)]
Limit: TypeAlias = Annotated[float, Field(gt=0)]
Price: TypeAlias = Annotated[float, Field(ge=0)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
# YAML has lists only; everything else is strict: no text becomes a number, no number a text.
Texts: TypeAlias = Annotated[tuple[Text, ...], Field(strict=False)]
Labels: TypeAlias = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_label_names)]


class Section(BaseModel):
    """A part of the task file: unknown keys are errors, types are exact, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TaskSection(Section):
    """What the task is."""

    name: Text | None = Field(default=None, description="Name in reports; default: the name of the file")
    type: TaskKind
    instruction: str = ""
    labels: Labels = Field(
        default=(), description="Classification: the labels; default: those of the labelled rows"
    )
    reasoning: Literal["auto", "none", "answer_first", "answer_last"] = Field(
        default="auto",
        description="Where shots show their reasoning; auto: answer_first if a shot has any, else none",
    )


class RowsSection(Section):
    """A file of rows, relative to the task file."""

    path: Text
    format: Literal["auto"] | RowFormat = "auto"
    columns: dict[str, Text] = Field(
        default={}, description="Our field to the file's column, e.g. {prompt: tweet}"
    )
    seed: Seed = 0


class ExamplesSection(RowsSection):
    """The labelled rows; ``k`` of them are drawn by ``seed``, or all are taken."""

    k: Count | None = None


class HeldOutSection(RowsSection):
    """The held-out rows; ``limit`` of them are drawn by ``seed``, or all are taken."""

    limit: Count | None = None


class FoldsSection(Section):
    """Repeated k-fold over the labelled rows, where there is no test file."""

    count: Annotated[int, Field(ge=2)] = 5
    repeats: Count = 3
    seed: Seed = 0


class ModelSection(Section):
    """The base model."""

    base: Text | None = Field(
        None, description="A folder or a hub id; without it only model-free systems run"
    )
    revision: Text | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Text = "auto"
    template: Literal["auto", "chat", "plain"] = "auto"
    max_new_tokens: Count = 64
    choice_score: Literal["sum", "token", "char"] = Field(
        default="sum", description="Closed answers by log-likelihood: the sum, or per token or character"
    )
    batch_tokens: Count = 8192


class EndpointSection(Section):
    """An OpenAI-compatible endpoint. The key itself never stands in the file."""

    base_url: Annotated[str, AfterValidator(_endpoint_url)]
    model: Text
    api_key_env: Annotated[str, AfterValidator(_variable_name)] | None = None
    concurrency: Count = Field(default=16, description="Requests in flight at most; it adapts to 429s")
    prompt_usd: Price | None = Field(default=None, description="USD per million tokens of the prompt")
    completion_usd: Price | None = Field(default=None, description="USD per million tokens of the reply")


class KnowledgeSection(Section):
    """The open knowledge at hand."""

    adapters: Texts = ()
    models: Texts = ()
    datasets: Texts = ()
    llm: EndpointSection | None = None
    expert: Text | None = Field(default=None, description="An expert classifier: a folder or a hub id")

    @property
    def any(self) -> bool:
        """Whether there are adapters or datasets."""
        return bool(self.adapters or self.datasets)


class BudgetSection(Section):
    """Where a run stops with what it has; what is not given is not limited."""

    minutes: Limit | None = None
    calls: Count | None = None
    tokens: Count | None = None
    usd: Limit | None = None


class ReportSection(Section):
    """How results are judged."""

    margin: Annotated[float, Field(ge=0, lt=1)] = 0.02
    seed: Seed = 0


class ExpertsSection(Section):
    """Which adapters of the bank are joined; chosen from the shots alone (arXiv 2408.15915, section 3)."""

    size: Count = Field(default=4, description="How many experts are chosen")
    pool: Count = Field(default=8, description="How many of the best ranked come into question")
    rule: Literal["coverage", "paper", "released-code", "ranks", "accuracy", "perplexity", "random"] = Field(
        default="coverage", description="coverage: no shot without an expert that suits it; or the paper's"
    )
    similarity: Literal["delta", "ab_signed", "ab_abs"] = Field(
        default="delta", description="How alike two adapters are: what they add to the weights, or A and B"
    )
    exclude: Texts = Field(default=(), description="Names of adapters that must not be chosen")


class DataSection(Section):
    """Which rows of the open datasets are learned from; chosen by the shots alone."""

    count: Count = Field(default=1000, description="Candidates; near-duplicates among them fall")
    similarity: Literal["max", "mean", "round_robin", "kde", "random"] = "max"
    threshold: Annotated[float, Field(ge=-1, le=1)] = Field(
        default=0.9, description="Of two rows whose cosine is above it, the less shot-like falls; 1 keeps all"
    )
    refill: bool = Field(default=False, description="Take further candidates in place of near-duplicates")
    text: Literal["auto", "record", "question"] = Field(
        default="auto", description="What of a row is embedded; auto: the record where answers are closed"
    )
    embedder: Text | None = Field(
        default=None, description="As the task's embedder; `model` takes the base model's hidden states"
    )


class MixtureSection(Section):
    """How the chosen experts are joined and trained on shots and chosen data."""

    top_k: Count = 2
    train: Literal["joint", "router", "static"] = "joint"
    start: Literal["random", "arrow", "hidden_mean", "phatgoose"] = "random"
    epochs: Limit = 10
    learning_rate: Limit | None = Field(default=None, description="Default: by the width of the base model")
    batch_size: Count = Field(default=32, description="Rows of a step")
    rows_at_a_time: Count | None = Field(
        default=None, description="Of a step; default: all below a width of 1,024, else 2"
    )
    max_tokens: Count = Field(default=1024, description="Rows that are longer are left out, and counted")
    gradient_checkpointing: bool = False
    balance: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Weight of the balance loss")
    noise: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Of the router while training")
    kshot_repeat: Count = Field(default=1, description="How often each shot stands among the rows")
    rehearse: Annotated[int, Field(ge=0)] = Field(
        default=4000,
        description="Prompts made up for each expert, so that the mixture keeps what it knows; 0 is none",
    )
    hold_back: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = Field(
        default="auto",
        description="Share of the shots to stop the training by; auto: a fifth from 40 shots on",
    )


class CocktailSection(Section):
    """How base, models and adapters are mixed into one, weighted by the shots (arXiv 2311.13534)."""

    temperature: Literal["auto"] | Limit = Field(
        default="auto",
        description="Of the softmax over negative losses; auto: by cross-fit on the shots; the paper has 5",
    )
    size: Annotated[int, Field(ge=2)] = Field(
        default=10, description="Members at most, the base among them; those of the lowest loss stay"
    )
    search_evaluations: Count = Field(
        default=200, description="How often `searched soup` measures a mix on the shots"
    )


class PandaSection(Section):
    """How an expert's preferences become insights in the LLM's prompt (arXiv 2402.12835)."""

    expert: Literal["auto", "classifier", "gold"] = Field(
        default="auto", description="Who prefers; auto: the expert classifier that is named, else the labels"
    )
    prompts: Literal["auto", "standard", "bare"] = Field(
        default="auto", description="Wording; auto: bare on the miniature, else standard"
    )
    heuristic: Literal["top1", "top2", "top3", "far", "last"] = "top2"
    gold: Literal["keep", "flag", "drop", "gold_first"] = Field(
        default="flag", description="What happens where the expert contradicts a label"
    )
    k: Count = Field(default=6, description="Insights in a prompt")
    floor: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        default=None, description="Insights whose cosine with the row is below it stay out"
    )

"""The header of an insight pool: what it is of, and how it was learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import parse_qsl, urlsplit

from kshot.data.nearest import proposal
from kshot.data.template import TaskKind
from kshot.errors import DataError
from kshot.methods.panda.records import ExpertFacts

PoolKind: TypeAlias = TaskKind | Literal["agent"]
FORMAT: Final = "kshot-insights"
VERSION: Final = 1
KINDS: Final = (*get_args(TaskKind), "agent")
_LEARNED: Final = (
    "task", "kind", "instruction", "labels", "template", "prompts", "expert", "model", "decoding",
)  # fmt: skip
_ENDPOINT: Final = ("base_url", "model", "api_key_env")
_SECRET: Final = ("key", "token", "secret", "password", "sig")


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """Which encoder made vectors, and of what; vectors are only comparable where all of it is equal.

    Attributes:
        id: The embedder's own.
        dim: Length of a vector.
        revision: Of a hub name, where the id does not hold it.
        max_tokens: Where a text is cut; None where the embedder does not tell.
        key_template: How the text that is encoded was made of a key; empty: the key itself.
    """

    id: str
    dim: int
    revision: str = ""
    max_tokens: int | None = None
    key_template: str = ""


@dataclass(frozen=True, slots=True)
class PoolHeader:
    """What a pool is of, and how it was learned. ``created`` and ``updated`` are ISO times, UTC.

    Attributes:
        task: Its name; pools of one task and equal labels can be merged.
        kind: Of the task; ``agent`` where it is interactive.
        labels: In the order of the classes; empty where there are none.
        encoder: The one that the pool was meant for; another may be used, and re-embeds the keys.
        embedder: Where that encoder is to be had: ``hashing``, a folder or a hub id; empty: not known.
        template: Id of the learning prompt.
        prompts: The wording's style.
        model: Id of the LLM that explained.
        endpoint: ``base_url``, ``model``, ``api_key_env`` (the variable's name); never a key.
        decoding: How explanations were drawn.
        counts: ``insights``, and whatever learning counted.
        origin: Of an imported pool: its format, and what export needs beside the records.
    """

    task: str
    kind: PoolKind = "generation"
    instruction: str = ""
    labels: tuple[str, ...] = ()
    encoder: EncoderFacts | None = None
    embedder: str = ""
    template: str = ""
    prompts: Literal["standard", "bare"] = "standard"
    expert: ExpertFacts | None = None
    model: str = ""
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    decoding: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    updated: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    origin: Mapping[str, Any] | None = None
    format: str = FORMAT
    version: int = VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        problem = _problem(self) or _leak(self.endpoint)
        if problem:
            raise DataError(f"the header of a pool: {problem}")

    def to_json(self) -> dict[str, Any]:
        """A JSON object, format and version first; ``from_json`` reads it back."""
        plain = asdict(
            replace(
                self,
                endpoint=dict(self.endpoint),
                decoding=dict(self.decoding),
                counts=dict(self.counts),
                origin=None if self.origin is None else dict(self.origin),
            )
        )
        return {"format": plain.pop("format"), "version": plain.pop("version")} | plain

    @classmethod
    def from_json(cls, plain: Any, *, where: str) -> PoolHeader:
        """What ``to_json`` wrote; ``where`` begins the messages.

        Raises:
            DataError: It is no header, of a newer version, or a field is unknown or of another type.
        """
        if not isinstance(plain, Mapping) or plain.get("format") != FORMAT:
            raise DataError(f"{where}: is no header of an insight pool; expected format {FORMAT!r}")
        version = plain.get("version")
        if version != VERSION or isinstance(version, bool):
            told = "update kshot" if isinstance(version, int) and version > VERSION else "it was changed"
            raise DataError(f"{where}: the pool has version {version!r}, this kshot reads {VERSION}; {told}")
        known = [found.name for found in fields(cls)]
        for name in plain:
            if name not in known:
                raise DataError(f"{where}: unknown field {name!r}{proposal(str(name), known)}")
        if not isinstance(plain.get("labels", []), list | tuple):  # a text would fall into letters
            raise DataError(f"{where}: labels are {plain['labels']!r}, expected a list of texts")
        try:
            values = dict(plain)
            values["encoder"] = EncoderFacts(**plain["encoder"]) if plain.get("encoder") else None
            values["expert"] = ExpertFacts(**plain["expert"]) if plain.get("expert") else None
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: a field is missing or of another type ({error})") from error
        except DataError as error:
            raise DataError(f"{where}: {error}") from error

    def differences(self, other: PoolHeader) -> tuple[str, ...]:
        """What two headers say differently of how insights are learned, both named.

        Dates, counts, the encoder (its vectors are a cache) and the endpoint's address do not count.

        >>> PoolHeader("irony", model="a").differences(PoolHeader("irony", model="b"))
        ("model 'a' and 'b'",)
        """
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in _LEARNED]
        return tuple(
            f"{name} {mine!r} and {theirs!r}" for name, mine, theirs in pairs if not _alike(mine, theirs)
        )


def now() -> str:
    """The time as headers have it: ISO, UTC, to the second.

    >>> now()[-6:]
    '+00:00'
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def _alike(left: Any, right: Any) -> bool:
    """Equality after a way through JSON, where tuples become lists."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    return bool(left == right)


def _problem(header: PoolHeader) -> str:
    texts = (
        "task",
        "instruction",
        "embedder",
        "template",
        "model",
        "created",
        "updated",
        "format",
    )
    for name in texts:
        if not isinstance(getattr(header, name), str):
            return f"{name} is {getattr(header, name)!r}, expected text"
    if header.kind not in KINDS:
        return f"kind is {header.kind!r}, expected one of {', '.join(KINDS)}"
    if header.prompts not in ("standard", "bare"):
        return f"prompts is {header.prompts!r}, expected 'standard' or 'bare'"
    if not all(isinstance(label, str) for label in header.labels):
        return f"labels are {header.labels!r}, expected texts"
    for name in ("endpoint", "decoding", "counts", "origin"):
        if not isinstance(getattr(header, name), Mapping) and (name, header.origin) != ("origin", None):
            return f"{name} is {getattr(header, name)!r}, expected an object"
    if not all(isinstance(count, int) for count in header.counts.values()):
        return f"counts are {dict(header.counts)!r}, expected whole numbers"
    return ""


def _leak(endpoint: Mapping[str, Any]) -> str:
    """Why an endpoint's facts may hold a secret; the message does not repeat it."""
    others = [name for name in endpoint if name not in _ENDPOINT]
    if others:
        return f"endpoint holds {others[0]!r}, expected only {', '.join(_ENDPOINT)}; a key is never stored"
    address = urlsplit(str(endpoint.get("base_url", "")))
    names = [name.casefold() for name, _ in parse_qsl(address.query, keep_blank_values=True)]
    if address.username or address.password or any(word in name for name in names for word in _SECRET):
        return "the endpoint's base_url holds a name, password or key; give it by an environment variable"
    return ""

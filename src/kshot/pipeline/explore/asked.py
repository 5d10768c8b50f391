"""What an exploration is asked for, and who answers: what decides the result is written down and compared."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, final

from kshot.data.taskfile.settings import EndpointSection
from kshot.errors import InputError, ModelError
from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.formats.released import META
from kshot.methods.explore.grow import GrowOptions
from kshot.methods.explore.prompts import standard
from kshot.methods.explore.records import Item
from kshot.methods.explore.rivals import RIVALS
from kshot.methods.explore.seams import ExplorePrompts, Language
from kshot.methods.explore.spending import Limits
from kshot.models.asking import Question, replies_as_they_come
from kshot.models.base import LanguageModel, Reply
from kshot.pipeline.panda.llm import open_endpoint
from kshot.runs import Listener, silent

if TYPE_CHECKING:
    from kshot.models.endpoint import StepUsage
    from kshot.pipeline.explore.folder import Saved

Llm: TypeAlias = "EndpointSection | LanguageModel | str"
TARGETS = ("count", "counts")  # of filling: numbers to reach, which may grow from one run to the next
STAGES = ("grow", "fill")
TELL_S = 0.5  # between two signs of life within a round
COUNTED = ("calls", "cached", "failed", "prompt_tokens", "completion_tokens", "usd")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreJob:
    """How a domain is explored.

    Attributes:
        llm: An endpoint, a local model's folder or hub id, or any ``LanguageModel``.
        method: ``adaptive``, or one of the baselines; see ``RIVALS``.
        grow: Depth, breadth, order, filters of names.
        fill: Rows a task, lanes, filters of rows.
        language: Of prompts and rows.
        form: Whether replies are JSON or, for models without structured output, blocks.
        rows: How many rows the product has; None: as many as there are.
        calls: The most that is planned, and that the endpoint may be paid for.
        tokens: Likewise.
        usd: The most that the endpoint may be paid; needs its prices.
        embedder: Compares names; ``hashing``, a folder or a hub id.
        seeds: Rows that Self-Instruct starts from; default: the examples of the tree's root.
        simulated: Whether the LLM is a simulation: everything written says so.
        guards: What names rows to be kept out of the product: (``task``, ``shots`` or ``guard``; place). The
            folder remembers them, so that no later step forgets the guard; none is read here.
    """

    llm: Llm
    method: str = "adaptive"
    grow: GrowOptions = field(default_factory=GrowOptions)
    fill: FillOptions = field(default_factory=FillOptions)
    language: Language = "en"
    form: Literal["json", "blocks"] = "json"
    rows: int | None = None
    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    embedder: str = "hashing"
    seeds: tuple[Item, ...] = ()
    simulated: bool = False
    guards: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.method not in RIVALS:
            raise InputError(f"method {self.method!r} is none of {', '.join(RIVALS)}")
        for name in ("rows", "calls", "tokens", "usd"):
            limit = getattr(self, name)
            if limit is not None and limit <= 0:
                raise InputError(f"{name} is {limit}; expected more than 0")
        if self.usd is not None and self.prices is None:
            raise InputError(
                f"a limit of {self.usd:g} USD needs the prices of an endpoint (--prompt-usd and "
                "--completion-usd, per million tokens); give them, or limit calls or tokens"
            )
        if self.rows is None and self.calls is None and self.tokens is None and self.usd is None:
            raise InputError(
                "nothing says when to stop: give a budget in calls, tokens or USD, or a number of rows"
            )

    @property
    def prompts(self) -> ExplorePrompts:
        """The wording."""
        return standard(self.language, form=self.form)

    @property
    def limits(self) -> Limits:
        """What may be planned."""
        return Limits(self.calls, self.tokens, self.usd, self.prices or (0.0, 0.0))

    @property
    def prices(self) -> tuple[float, float] | None:
        """USD per million tokens of prompts and of replies; None where the endpoint has none."""
        if not isinstance(self.llm, EndpointSection):
            return None
        prompt, completion = self.llm.prompt_usd, self.llm.completion_usd
        return None if prompt is None or completion is None else (prompt, completion)

    @property
    def llm_name(self) -> str:
        """The model's, without its address."""
        if isinstance(self.llm, str):
            return self.llm
        return self.llm.model if isinstance(self.llm, EndpointSection) else self.llm.id

    def stage(self, name: str) -> dict[str, Any]:
        """What decides the result of a stage, as plain values."""
        options: dict[str, Any] = asdict(self.grow if name == "grow" else self.fill)
        fixed = {key: value for key, value in options.items() if key not in TARGETS}
        common = {"llm": self.llm_name, "prompts": self.prompts.id, "method": self.method}
        if name == "grow":
            common["embedder"] = self.embedder
        plain: dict[str, Any] = json.loads(json.dumps(common | fixed, default=str))
        return plain

    def check_same(self, saved: Saved, stages: Sequence[str] = STAGES) -> None:
        """Refuses to go on with stages that were begun with other options.

        Raises:
            InputError: They differ; the first difference is named.
        """
        for name in stages:
            before = saved.settings.get(name)
            if not before or not saved.rounds.get(name):
                continue
            for key, value in self.stage(name).items():
                if before.get(key) != value:
                    raise InputError(
                        f"{name}ing was begun here with {key} {before.get(key)!r}, not {value!r}; "
                        "give the same options, or another --out"
                    )


@contextmanager
def opened(job: ExploreJob, saved: Saved, *, listener: Listener = silent) -> Iterator[Watched]:
    """The LLM, with what is left of the budget; what is paid is counted in ``saved.paid``.

    Raises:
        InputError: The endpoint or model cannot be used.
    """
    from kshot.models.endpoint import Budget, local_endpoint
    from kshot.models.journal import default_journal

    before = dict(saved.paid)
    began, seconds = time.monotonic(), saved.seconds
    if isinstance(job.llm, EndpointSection):
        budget = Budget(
            calls=None if job.calls is None else max(0, job.calls - int(before["calls"])),
            tokens=None if job.tokens is None else max(0, job.tokens - _tokens(before)),
            usd=None if job.usd is None else max(0.0, job.usd - before["usd"]),
        )
        endpoint: Any = open_endpoint(job.llm, budget=budget)
    elif isinstance(job.llm, str):
        from kshot.models.hf import HfModel

        endpoint = local_endpoint(HfModel.load(job.llm), journal=default_journal())
    else:
        endpoint = job.llm

    def settle() -> None:
        usage = getattr(endpoint, "usage", None)
        saved.paid = paid_with(before, usage() if usage is not None else ())
        saved.seconds = seconds + time.monotonic() - began

    try:
        yield Watched(endpoint, settle, listener)
    finally:
        settle()
        close = getattr(endpoint, "close", None)
        if close is not None and endpoint is not job.llm:
            close()


def _tokens(paid: Mapping[str, Any]) -> int:
    return sum(step.get("prompt_tokens", 0) + step.get("completion_tokens", 0) for step in paid["steps"])


def paid_with(before: Mapping[str, Any], usage: Sequence[StepUsage]) -> dict[str, Any]:
    """What earlier processes paid and this one, together and by step.

    >>> paid_with({"calls": 2, "usd": 0.5, "steps": []}, ())
    {'calls': 2, 'usd': 0.5, 'steps': []}
    """
    steps: dict[str, dict[str, Any]] = {step["step"]: dict(step) for step in before["steps"]}
    for one in usage:
        known = steps.setdefault(one.step, {"step": one.step})
        for name in COUNTED:
            known[name] = known.get(name, 0) + getattr(one, name)
    return {
        "calls": before["calls"] + sum(one.calls for one in usage),
        "usd": before["usd"] + sum(one.usd for one in usage),
        "steps": list(steps.values()),
    }


@final
class Watched:
    """A model whose replies are told to a listener as they come."""

    def __init__(self, model: LanguageModel, settle: Callable[[], None], listener: Listener) -> None:
        self.model = model
        self.settle = settle
        self.facts: Mapping[str, Any] = {}
        self._listener = listener
        self._given, self._told = 0, 0.0

    @property
    def id(self) -> str:
        """The model's."""
        return self.model.id

    def generate(self, conversations: Any, **options: Any) -> list[Reply]:
        """The model's."""
        return self.model.generate(conversations, **options)

    def ask(self, questions: Iterable[Question | None]) -> Iterator[tuple[int, Reply]]:
        """The model's, each reply told.

        Raises:
            ModelError: Not one of the questions was answered: nothing is learned from such a round.
        """
        failed = 0
        reason = ""
        answered = False
        for position, reply in replies_as_they_come(self.model, questions):
            self._given += 1
            answered |= reply.finish_reason != "error"
            if reply.finish_reason == "error":
                failed, reason = failed + 1, reply.error
            if time.monotonic() - self._told > TELL_S:
                self._told = time.monotonic()
                self._listener("exploring", replies=self._given, **self.facts)
            yield position, reply
        if failed and not answered:
            raise ModelError(
                f"none of {failed} questions was answered, the last with: {reason}; what came before is "
                "kept, and the same command goes on from there"
            )

    def usage(self) -> tuple[Any, ...]:
        """What was asked, by step; empty where the model does not count."""
        usage = getattr(self.model, "usage", None)
        return tuple(usage()) if usage is not None else ()


def guards_of(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The guards that an exploration was given so far.

    >>> guards_of({"guards": [["task", "task.yaml"]]}), guards_of({})
    ((('task', 'task.yaml'),), ())
    """
    return tuple((str(option), str(place)) for option, place in settings.get("guards", ()))


def is_tree_place(place: str | Path) -> bool:
    """Whether a domain is named by a file or a released folder rather than in words.

    A folder that only has the domain's name, as ``--out`` may have, is no tree.

    >>> is_tree_place("rewriting"), is_tree_place("tree.md"), is_tree_place("")
    (False, True, False)
    """
    path = Path(place)
    if path.suffix.lower() in (".json", ".md"):
        return True
    return path.is_dir() and ((path / META).is_file() or len(path.parts) > 1)

"""The prompts of a task by the name of their style."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

from kshot.data.example import Conversation, Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.measure.metrics import extract_label
from kshot.methods.panda.prompts.bare import BarePrompts
from kshot.methods.panda.prompts.standard import StandardPrompts
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference, content_id
from kshot.methods.panda.seams import Ask, Prompts, Render, Setting

Style: TypeAlias = Literal["standard", "bare"]


def open_prompts(
    template: Template,
    *,
    style: Style = "standard",
    names: Mapping[str, str] | None = None,
    system: bool = False,
    multiline: bool = False,
) -> Prompts:
    """The wording around one task.

    Args:
        template: The task's instruction, kind and labels.
        style: ``standard`` for instruction-tuned models; ``bare`` for models as small as the miniature's.
        names: Display names by label (``standard`` alone); replies are read by these names.
        system: The insight block stands in a system message (``standard`` alone).
        multiline: Answers of generation may span lines, so replies are not cut at the first line end.

    Raises:
        InputError: The style does not exist, or does not fit the other arguments.
        MetricError: Two labels, or two of their names, cannot be told apart in a reply.

    >>> task = Template(instruction="Mood?", kind="classification", labels=("good", "bad"))
    >>> print(open_prompts(task).query(Example("Fine weather", ""))[-1].content)
    Task: Mood?
    The labels, by index:
    0: good
    1: bad
    Text: Fine weather
    Reply with the right label, by its name or its index, and with nothing else.
    """
    if style not in get_args(Style):
        raise InputError(f"prompts {style!r} do not exist; there are {' and '.join(get_args(Style))}")
    if style == "bare" and (names or system):
        raise InputError("bare prompts have no display names and no insights in a system message")
    names = dict(names or {})
    if unknown := sorted(set(names) - set(template.labels)):
        raise InputError(f"names: {unknown[0]!r} is none of the labels {', '.join(template.labels)}")
    shown = tuple(names.get(label, label) for label in template.labels)
    if template.kind == "classification" and shown:
        extract_label("", shown)  # refuses names that a reply could not tell apart
    if style == "bare":
        bare = BarePrompts(template, multiline=multiline)
        return replace(bare, id=f"bare:{_wording(bare)}")
    found = StandardPrompts(template, names, system=system, multiline=multiline)
    return replace(found, id=f"standard:{_wording(found)}")


_ASKS: tuple[Ask, ...] = get_args(Ask)
_RENDERS: tuple[Render, ...] = get_args(Render)


def _wording(prompts: StandardPrompts | BarePrompts) -> str:
    """A hash of what is written for probe rows in every setting: other words, another hash."""
    choices = ("yes", "no") if prompts.template.kind == "choice" else None
    row = Example("probe", "", choices=choices)
    labels = prompts.template.labels or ("yes", "no")
    first, second = Candidate(labels[0], probability=0.75), Candidate(labels[-1], probability=0.25)
    preference = Preference("case", (first, second), ExpertFacts("gold"))
    insight = Insight(0, "case", "note", preference=preference)
    shot = replace(row, prompt="shot", answer=(row.choices or labels)[0], reasoning="because")
    found: list[Conversation] = [prompts.explain(row, first, [second], ask=ask)[0] for ask in _ASKS]
    for render in _RENDERS:
        for reasoning in (False, True):
            setting = Setting(shots=1, reasoning=reasoning, render=render)
            found.append(prompts.query(row, insights=[insight], shots=[shot], setting=setting, guide="guide"))
    stops = [prompts.stop(Setting(reasoning=reasoning)) for reasoning in (False, True)]
    return content_id([[(turn.role, turn.content) for turn in turns] for turns in found], stops)

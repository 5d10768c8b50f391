"""An exploration's report as Markdown, every text from data made harmless."""

from __future__ import annotations

from kshot.report.explore.facts import ExploreFacts, ShownRefusal
from kshot.report.explore.outline import outline, told
from kshot.report.explore.sentences import because, contamination_sentence, headline, tiles
from kshot.report.explore.tables import explore_tables
from kshot.report.knowledge.visible import visible
from kshot.report.markdown import escaped, table
from kshot.report.wording import ABSENT, flat

_TEXT, _OUTLINE = 200, 1_000  # characters of an example; tasks in the outline


def explore_markdown(facts: ExploreFacts) -> str:
    """The whole report as Markdown; the first line is the title.

    Example::

        Path("report.md").write_text(explore_markdown(facts))
    """
    label = f" ({', '.join(facts.labels)})" if facts.labels else ""
    parts = [[f"# {escaped(facts.title)}", "", *_summary(facts)]]
    if facts.tasks:
        parts.append([f"## Tree{label}", "", *_outline(facts)])
    for part in explore_tables(facts):
        lines = [f"## {escaped(part.title)}{label}", "", escaped(part.lead), ""]
        parts.append([*lines, *table(part.header, part.rows)])
    if facts.refusals:
        parts.append([f"## Refused{label}", "", *_refusals(facts)])
    if facts.contamination is None:
        parts.append(["## Contamination", "", contamination_sentence(None)])
    elif facts.contamination.found:
        found = [(_cut(one.text), _cut(one.other), one.how, _score(one.score))
                 for one in facts.contamination.found]  # fmt: skip
        parts.append(["## Rows found", "", *table(("row", "repeats", "check", "score"), found)])
    if facts.commands:
        parts.append(
            ["## What next", "", *(f"- {escaped(what)}: {_code(how)}" for what, how in facts.commands)]
        )
    leaves = [f"- {escaped(item)}" for item in facts.leaves] or ["Nothing left this machine."]
    parts.append(["## What left this machine", "", *leaves])
    if facts.provenance:
        parts.append(["## Provenance", "", *table(("what", "value"), flat(facts.provenance))])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _summary(facts: ExploreFacts) -> list[str]:
    lines = [f"**{escaped(headline(facts))}**"]
    if facts.simulated:
        lines += ["", "**Simulated model**: the LLM is a simulation; these figures say nothing of any model."]
    if facts.description:
        lines += ["", escaped(facts.description)]
    lines += ["", *(f"- {escaped(text)}" for text in because(facts))]
    lines += ["", *table(("what", "value"), [*tiles(facts), *facts.facts])]
    if facts.notes:
        lines += ["", *(f"- {escaped(text)}" for text in facts.notes)]
    return lines


def _outline(facts: ExploreFacts) -> list[str]:
    lines = []
    for at, entry in enumerate(outline(facts.tasks)):
        if at == _OUTLINE:
            lines += ["", f"{len(facts.tasks) - at:,} more tasks stand in report.html and report.json."]
            break
        name = f"**{escaped(_cut(entry.task.name))}**"
        lines.append("  " * entry.task.depth + f"- {name}: {escaped(' · '.join(told(entry)))}")
    return lines


def _refusals(facts: ExploreFacts) -> list[str]:
    rows = [
        (rule.kind, rule.rule, f"{rule.count:,}", *_example(rule.examples[0] if rule.examples else None))
        for rule in facts.refusals
    ]
    return table(("what", "rule", "refused", "for instance", "near", "score"), rows)


def _example(one: ShownRefusal | None) -> tuple[str, str, str]:
    return ("", "", ABSENT) if one is None else (_cut(one.text), _cut(one.near), _score(one.score))


def _score(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f}"


def _cut(text: str) -> str:
    return visible(text, kept=_TEXT)


def _code(command: str) -> str:
    """As code if it has no back tick of its own, else as text."""
    folded = visible(" ".join(command.split()))
    return escaped(folded) if "`" in folded else f"`{folded}`"

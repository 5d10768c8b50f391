"""The data card of an export: what the rows are, where they come from, what was refused, what they cost."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import kshot
from kshot.methods.explore.records import Row
from kshot.methods.explore.spending import Spent
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.export.usage import usage

TASKS_SHOWN = 500
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_KNOWN_LICENCES = (  # those that the hub knows by name; any other one is written out
    *("apache-2.0", "mit", "bsd-3-clause", "gpl-3.0", "openrail", "unknown"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "odc-by", "odbl"),
)
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&])")


@dataclass(frozen=True, slots=True)
class Card:
    """What a data card says beside the tree and its rows.

    Attributes:
        model: Which wrote the rows.
        licence: Of the rows that it wrote, as its terms have it; empty where unknown.
        attached_licence: Of the rows that the user attached.
        threshold: Highest ROUGE-L F of two kept instructions.
        scope: Which instructions were compared.
        rules: Names of the row rules that were on.
        refusals: How many names and rows were refused, by rule.
        spent: Calls and tokens, growing and filling together.
        usd: What they cost, where prices are known.
        contamination: Rows found near shots or test rows, by kind; None where nothing was compared. The
            caller has left them out, but for those that an embedder alone found.
        seed: Of the run.
        language: ``en`` or ``zh``.
        simulated: Whether a script answered, not a model.
    """

    model: str
    licence: str = ""
    attached_licence: str = ""
    threshold: float = 0.7
    scope: Literal["tree", "per_node"] = "tree"
    rules: tuple[str, ...] = ()
    refusals: Mapping[str, int] = field(default_factory=dict)
    spent: Spent = Spent()  # noqa: RUF009 - frozen
    usd: float | None = None
    contamination: Mapping[str, int] | None = None
    seed: int = 0
    language: str = "en"
    simulated: bool = False

    @property
    def filter(self) -> str:
        """What every generated row has passed, in a few words."""
        where = "in the tree" if self.scope == "tree" else "of its task"
        rules = f"; row rules: {', '.join(self.rules)}" if self.rules else ""
        return f"ROUGE-L F at most {self.threshold:g} to every earlier instruction {where}{rules}"


def card_text(
    tree: DomainTree,
    rows: Sequence[Row],
    card: Card,
    *,
    file: str,
    form: str,
    left_out: Mapping[str, int],
) -> str:
    """``README.md``: front matter for the Hugging Face hub, then the facts for people.

    Example::

        card_text(tree, rows, card, file="rows.jsonl", form="jsonl", left_out={})
    """
    attached = sum(row.origin == "attached" for row in rows)
    parts = [
        _front(tree, len(rows), card, file=file),
        f"# {marked(tree.root.name)}",
        marked(tree.root.reason),
        _what(tree, card, own=len(rows) - attached, attached=attached),
        f"## Use\n\n{usage(file, form, tree.root.name)}",
        f"## Tasks\n\n{_outline(tree, rows)}",
        f"## Refused\n\n{_table(card.refusals, 'rule', 'names and rows')}",
        _left_out(left_out),
        f"## Cost\n\n{_cost(card)}",
        f"## Contamination\n\n{_contamination(card)}",
        _origin(card),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def marked(text: str) -> str:
    r"""A text that Markdown shows as it is, on one line.

    >>> marked("a_b\n<i>")
    'a\\_b \\<i\\>'
    """
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _front(tree: DomainTree, count: int, card: Card, *, file: str) -> str:
    size = next((name for most, name in _SIZES if count < most), "n>1M")
    licence = card.licence.lower()
    named = "" if licence in _KNOWN_LICENCES else f"license_name: {_quoted(card.licence)}\n"
    told = f"license: {licence if not named else 'other'}\n{named}" if card.licence else ""
    tags = ["synthetic", "instruction-tuning", "explore-instruct", "kshot", *["simulated"] * card.simulated]
    return (
        f"---\npretty_name: {_quoted(tree.root.name)}\nlanguage:\n- {card.language}\n{told}"
        f"size_categories:\n- {size}\ntask_categories:\n- text-generation\ntags:\n"
        + "".join(f"- {tag}\n" for tag in tags)
        + f"configs:\n- config_name: default\n  data_files: {_quoted(file)}\n---"
    )


def _what(tree: DomainTree, card: Card, *, own: int, attached: int) -> str:
    writer = f"the model {marked(card.model)}"
    made = f"made by kshot {kshot.__version__} (seed {card.seed})"
    tasks = "1 task" if len(tree) == 1 else f"{len(tree):,} tasks"
    found = [f"{own + attached:,} rows under {tasks}, {made}."]
    if card.simulated:
        found.append("**Simulated: a script answered in place of a language model. Not for training.**")
        writer = f"the script {marked(card.model)}"
    if own:
        found.append(
            f"**{_counted(own)} synthetic:** instruction, input and output were written by {writer} and "
            "checked by rules, not by people. They may be wrong, repeat what the model has read, or carry "
            "its biases."
        )
    if attached:
        terms = f" (licence: {marked(card.attached_licence)})" if card.attached_licence else ""
        found.append(f"**{_counted(attached)} attached:** the user had them before{terms}; `origin` tells.")
    if not own:
        return "\n\n".join(found)
    licence = f"Licence of the synthetic rows: {marked(card.licence)}." if card.licence else (
        "The licence of the synthetic rows is not known: see the model's terms before you pass them on."
    )  # fmt: skip
    return "\n\n".join([*found, licence])


def _counted(count: int) -> str:
    return "1 row is" if count == 1 else f"{count:,} rows are"


def _outline(tree: DomainTree, rows: Sequence[Row]) -> str:
    counts = Counter(row.node for row in rows)
    lines = [f"{'  ' * node.depth}- {marked(node.name)} ({counts[node.id]:,})" for node in tree]
    more = len(lines) - TASKS_SHOWN
    return "\n".join([*lines[:TASKS_SHOWN], *([f"\n... and {more:,} more tasks"] if more > 0 else [])])


def _table(counts: Mapping[str, int], left: str, right: str) -> str:
    if not counts:
        return "None."
    lines = [f"| {marked(name)} | {count:,} |" for name, count in counts.items()]
    return "\n".join([f"| {left} | {right} |", "|---|--:|", *lines])


def _left_out(left_out: Mapping[str, int]) -> str:
    return f"Left out of this export:\n\n{_table(left_out, 'reason', 'rows')}" if left_out else ""


def _cost(card: Card) -> str:
    spent = card.spent
    money = "not known (no prices were given)" if card.usd is None else f"{card.usd:.2f} USD"
    tokens = f"{spent.prompt_tokens:,} tokens of prompts, {spent.completion_tokens:,} tokens of replies"
    return f"{spent.calls:,} calls, {tokens}; money: {money}."


def _contamination(card: Card) -> str:
    if card.contamination is None:
        return "Not looked for: no shots or test rows were given to compare with."
    if not card.contamination:
        return "None: no row came near a shot or a test row that was given."
    table = _table(card.contamination, "found near shots or test rows", "rows")
    return (
        f"{table}\n\nThese rows are not in this export; what an embedder alone finds alike is only counted."
    )


def _origin(card: Card) -> str:
    return (
        "## Method\n\nA domain is mapped as a tree of tasks, then each task is filled with rows "
        f"(Explore-Instruct, arXiv 2310.09168). Every synthetic row passed: {marked(card.filter)}."
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # JSON texts are YAML texts

"""The words of all requests in one language: plain data, so that a change of a word changes the hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from kshot.methods.explore.seams import Language

Form: TypeAlias = Literal["json", "blocks"]


@dataclass(frozen=True, slots=True)
class Headings:
    """Of the parts of a request."""

    purpose: str
    rules: str
    task: str
    path: str
    examples: str
    existing: str
    siblings: str
    others: str
    refused: str
    wanted: str
    reply: str
    subtasks: str
    there: str
    proposed: str
    instruction: str
    input: str


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said to the model. Texts in braces are filled in by ``str.format``.

    Attributes:
        language: Of the rows that are asked for, and of the request.
        headings: Of its parts.
        none: The line of an empty list.
        not_shown: The line in place of the existing subtasks.
        name: Line with the task's name.
        reason: Line with the task's reason.
        verbs: Line with the verbs.
        verb: One verb with its count.
        comma: Between verbs.
        wanted_names: Line with the number of new subtasks.
        wanted_rows: Line with the number of rows.
        extend: Purpose of a request for subtasks, by its action.
        extend_rules: Lines.
        fill: Purpose of a request for rows.
        fill_rules: Lines.
        answer: Purpose of a request for one output.
        relevance: Purpose of a request for verdicts.
        names_reply: How subtasks are to be written, by form.
        rows_reply: How rows are, by form.
        verdicts_reply: How verdicts are, by form.
        answer_reply: How an output is.
        wrong: What is said of a reply that cannot be used: ``names``, ``rows``, ``verdicts``, ``answer``.
        again: What is said behind that, by form.
    """

    language: Language
    headings: Headings
    none: str
    not_shown: str
    name: str
    reason: str
    verbs: str
    verb: str
    comma: str
    wanted_names: str
    wanted_rows: str
    extend: Mapping[str, str]
    extend_rules: tuple[str, ...]
    fill: str
    fill_rules: tuple[str, ...]
    answer: str
    relevance: str
    names_reply: Mapping[Form, str]
    rows_reply: Mapping[Form, str]
    verdicts_reply: Mapping[Form, str]
    answer_reply: str
    wrong: Mapping[str, str]
    again: Mapping[Form, str]

    def hash(self) -> str:
        """12 hexadecimal digits of all its words."""
        text = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

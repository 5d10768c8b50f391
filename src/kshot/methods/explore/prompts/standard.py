"""Requests for instruction-tuned models: one user message in parts, and a check for each reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from kshot.errors import InputError
from kshot.methods.explore.prompts.chinese import CHINESE
from kshot.methods.explore.prompts.english import ENGLISH
from kshot.methods.explore.prompts.layout import MOST_LISTED, example_line, listed, one_line, prompt, section
from kshot.methods.explore.prompts.schema import NAMES_FORMAT, RELEVANCE_FORMAT, ROWS_FORMAT
from kshot.methods.explore.prompts.wording import Form, Wording
from kshot.methods.explore.reading import (
    block_names,
    block_relevance,
    block_rows,
    json_names,
    json_relevance,
    json_rows,
    read_answer,
)
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import (
    JUDGED,
    ExtendRequest,
    FillRequest,
    Language,
    Named,
    NamesReply,
    Place,
    RowsReply,
)
from kshot.models.asking import Question

WORDINGS: Mapping[Language, Wording] = {"en": ENGLISH, "zh": CHINESE}


@dataclass(frozen=True, slots=True)
class Reader:
    """How replies of one form are read."""

    names: Callable[[str], NamesReply]
    rows: Callable[[str], RowsReply]
    relevance: Callable[[str], tuple[bool | None, ...]]


READERS: Mapping[Form, Reader] = {
    "json": Reader(json_names, json_rows, json_relevance),
    "blocks": Reader(block_names, block_rows, block_relevance),
}


@final
@dataclass(frozen=True, slots=True)
class StandardPrompts:
    """Our requests in one language; see ``ExplorePrompts`` for the methods.

    Attributes:
        wording: The words.
        form: ``json``; or ``blocks``, for models that write no reliable JSON.
        id: Language, form and a hash of the wording.
    """

    wording: Wording
    form: Form = "json"
    id: str = ""

    @property
    def language(self) -> Language:
        """Of the rows that are asked for."""
        return self.wording.language

    def extend(self, request: ExtendRequest) -> Question:
        """The question for more children: all that is known of the task, and how many are wanted."""
        words, heads, place = self.wording, self.wording.headings, request.place
        is_probe = request.action == "probe"
        existing = [words.not_shown] if is_probe else listed(place.children, none=words.none)
        purpose = words.extend[request.action].format(len(place.children))
        parts = (
            section(heads.purpose, purpose),
            section(heads.rules, listed(words.extend_rules, none=words.none)),
            *self._where(place),
            self._examples(request.examples),
            section(heads.existing, existing),
            self._list(heads.siblings, place.siblings),
            self._list(heads.others, request.elsewhere),
            self._list(heads.refused, request.refused),
            section(heads.wanted, words.wanted_names.format(request.wanted)),
            section(heads.reply, words.names_reply[self.form]),
        )
        return Question(
            prompt(parts),
            request.decoding,
            step="grow",
            response_format=self._format(NAMES_FORMAT),
            check=self._names_wrong,
        )

    def fill(self, request: FillRequest) -> Question:
        """The question for more rows: the task, what it has already, and how many are wanted."""
        words, heads, place = self.wording, self.wording.headings, request.place
        verbs = words.comma.join(words.verb.format(verb, count) for verb, count in request.verbs)
        parts = (
            section(heads.purpose, words.fill),
            section(heads.rules, listed(words.fill_rules, none=words.none)),
            *self._where(place),
            self._list(heads.subtasks, place.children),
            self._list(heads.siblings, place.siblings),
            self._examples(request.examples),
            section(
                heads.there,
                [words.verbs.format(verbs or words.none), *listed(request.nearby, none=words.none)],
            ),
            section(heads.wanted, words.wanted_rows.format(request.wanted)),
            section(heads.reply, words.rows_reply[self.form]),
        )
        return Question(
            prompt(parts),
            request.decoding,
            step="fill",
            response_format=self._format(ROWS_FORMAT),
            check=self._rows_wrong,
        )

    def answer(self, item: Item, place: Place) -> Question:
        """The question for the output of one row."""
        words, heads = self.wording, self.wording.headings
        parts = (
            section(heads.purpose, words.answer),
            self._task(place),
            section(heads.instruction, item.instruction),
            section(heads.input, item.input or words.none),
            section(heads.reply, words.answer_reply),
        )
        return Question(prompt(parts), JUDGED, step="answer", check=self._answer_wrong)

    def relevance(self, place: Place, named: tuple[Named, ...]) -> Question:
        """The question which of a batch of proposed tasks belong to the task."""
        words, heads = self.wording, self.wording.headings
        lines = [
            f"{number}. {one_line(one.name)}: {one_line(one.reason, most=MOST_LISTED) or words.none}"
            for number, one in enumerate(named, start=1)
        ]
        parts = (
            section(heads.purpose, words.relevance),
            *self._where(place),
            section(heads.proposed, lines or words.none),
            section(heads.reply, words.verdicts_reply[self.form]),
        )
        return Question(
            prompt(parts),
            JUDGED,
            step="relevance",
            response_format=self._format(RELEVANCE_FORMAT),
            check=lambda text: self._verdicts_wrong(text, len(named)),
        )

    def read_names(self, text: str) -> NamesReply:
        """Of a reply to ``extend``."""
        return READERS[self.form].names(text)

    def read_rows(self, text: str) -> RowsReply:
        """Of a reply to ``fill``."""
        return READERS[self.form].rows(text)

    def read_answer(self, text: str) -> str:
        """Of a reply to ``answer``."""
        return read_answer(text)

    def read_relevance(self, text: str, count: int) -> tuple[bool, ...]:
        """Of a reply to ``relevance``."""
        found = READERS[self.form].relevance(text)[:count]
        return tuple(said is not False for said in found) + (True,) * (count - len(found))

    def _where(self, place: Place) -> tuple[str, str]:
        return self._task(place), self._list(self.wording.headings.path, place.path)

    def _task(self, place: Place) -> str:
        words = self.wording
        reason = one_line(place.reason, most=4 * MOST_LISTED) or words.none
        lines = [words.name.format(one_line(place.name)), words.reason.format(reason)]
        return section(words.headings.task, lines)

    def _list(self, heading: str, texts: tuple[str, ...]) -> str:
        return section(heading, listed(texts, none=self.wording.none))

    def _examples(self, examples: tuple[Item, ...]) -> str:
        return section(
            self.wording.headings.examples, [example_line(item) for item in examples] or self.wording.none
        )

    def _format(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return wanted if self.form == "json" else None

    def _names_wrong(self, text: str) -> str:
        found = self.read_names(text)
        return "" if found.named or found.is_complete else self._wrong("names", is_cut=found.is_cut)

    def _rows_wrong(self, text: str) -> str:
        found = self.read_rows(text)
        return "" if found.items else self._wrong("rows", is_cut=found.is_cut)

    def _verdicts_wrong(self, text: str, count: int) -> str:
        found = sum(said is not None for said in READERS[self.form].relevance(text))
        return "" if found == count else self._wrong("verdicts", found=found, wanted=count)

    def _answer_wrong(self, text: str) -> str:
        return "" if self.read_answer(text) else self.wording.wrong["answer"]

    def _wrong(self, what: str, *, is_cut: bool = False, **numbers: int) -> str:
        said = [self.wording.wrong[what].format(**numbers), self.wording.again[self.form]]
        if is_cut and self.form == "blocks":
            said.insert(1, self.wording.wrong["no_end"])
        return ("" if self.language == "zh" else " ").join(said)


def standard(language: Language = "en", *, form: Form = "json") -> StandardPrompts:
    """Our own wording of all requests.

    Args:
        language: Of requests and rows.
        form: How replies are written: ``blocks`` for models that write no reliable JSON.

    Raises:
        InputError: There is no such language or form.

    >>> prompts = standard()
    >>> prompts.read_rows('{"rows": [{"instruction": "Name a bird.", "output": "Wren."}]}').items[0].output
    'Wren.'
    >>> prompts.language, prompts.id.startswith("standard-en-json-")
    ('en', True)
    """
    if language not in WORDINGS:
        raise InputError(f"language {language!r} has no prompts; use {' or '.join(WORDINGS)}")
    if form not in READERS:
        raise InputError(f"form {form!r} is not known; use {' or '.join(READERS)}")
    wording = WORDINGS[language]
    return StandardPrompts(wording, form, f"standard-{language}-{form}-{wording.hash()}")

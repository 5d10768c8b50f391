"""What every kind of model refuses: rows of the wrong type, none at all, losses that are no number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.ranking import Ranking
from kshot.data.template import Template, plain_text
from kshot.errors import DataError, ModelError
from kshot.models.kinds.base import KindName, Rows


def labelled(rows: Rows, kind: KindName) -> list[Example]:
    """Rows that are examples with answers.

    Raises:
        DataError: There is none, one is of another type or has no answer.
    """
    found = [row for row in rows if isinstance(row, Example)]
    _check_types(rows, len(found), f"{kind} needs prompts with answers (input and output)")
    for number, row in enumerate(found):
        if not row.answer.strip():
            raise DataError(f"{row_name(number, row)}: the answer is empty; there is nothing to score")
    return found


def ranked(rows: Rows, kind: KindName) -> list[Ranking]:
    """Rows that are rankings.

    Raises:
        DataError: There is none, or one is of another type.
    """
    found = [row for row in rows if isinstance(row, Ranking)]
    _check_types(rows, len(found), f"{kind} needs rows with query, pos and neg")
    return found


def check_rows(rows: Rows, kind: KindName) -> None:
    """Refuse rows that a kind of model has no loss on; no model is needed for it.

    Raises:
        DataError: There is none, one is of another type or has no answer.

    >>> check_rows([Example("2 + 2", "4")], "decoder")
    """
    if kind in ("decoder", "encoder-decoder"):
        labelled(rows, kind)
    else:
        ranked(rows, kind)


def input_and_output(row: Example) -> tuple[str, str]:
    r"""The two texts of an example for a model that knows no conversation.

    Choices follow the prompt as lettered lines, and the letter is the answer; a system turn and earlier turns
    stand before it as plain text.

    >>> input_and_output(Example("2 + 2 =", "4")), input_and_output(Example("2 + 2?", "4", ("4", "5")))
    (('2 + 2 =', '4'), ('2 + 2?\nA. 4\nB. 5\n', 'A'))
    """
    template = Template()
    if row.system is None and not row.history and not row.choices:
        return row.prompt, row.answer
    return plain_text(template.conversation(row)), template.gold(row)


def row_name(number: int, row: Example | Ranking) -> str:
    """An example for messages: its place from 0, and where it comes from.

    >>> row_name(3, Example("a", "b", source="shots.jsonl:4"))
    'example 3 (shots.jsonl:4)'
    """
    source = row.source if isinstance(row, Example) else row.id
    return f"example {number} ({source})" if source else f"example {number}"


def check_finite(model: str, nats: Sequence[NDArray[Any]] | NDArray[Any], rows: Rows) -> None:
    """Refuse losses that are no finite numbers.

    Raises:
        ModelError: Names the model and the first such example.
    """
    for number, some in enumerate(nats):
        if not np.isfinite(some).all():
            raise ModelError(
                f"{model}: {row_name(number, rows[number])} has a loss that is no finite number; weights or "
                "activations overflow: audit the weights, or use dtype bfloat16 or float32"
            )


def _check_types(rows: Rows, fitting: int, needed: str) -> None:
    if not len(rows):
        raise DataError(f"there is no example; {needed}")
    if fitting < len(rows):
        raise DataError(f"{len(rows) - fitting} of {len(rows)} examples are of another type; {needed}")

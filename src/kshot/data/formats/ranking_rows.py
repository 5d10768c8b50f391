"""Files of rankings: rows with ``query``, ``pos`` and ``neg``, as retrievers and rerankers are trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kshot.data.formats.fields import kind
from kshot.data.formats.records import Fault, file_type, read_records
from kshot.data.nearest import proposal
from kshot.data.ranking import Ranking
from kshot.errors import DataError, collected

_FIELDS = ("query", "pos", "neg")
_BESIDE = frozenset({"id", "query_id", "pos_id", "neg_id", "pos_scores", "neg_scores", "source", "type"})


def read_rankings(path: str | os.PathLike[str]) -> list[Ranking]:
    """All rankings of a JSONL, JSON or Parquet file, each named ``file:line``.

    A row has a text ``query``, a list ``pos`` of at least one passage and a list ``neg``, which may be
    missing. Identifiers and teacher scores (``id``, ``pos_scores`` ...) may stand beside them; they are not
    used.

    Example::

        read_rankings("pairs.jsonl")[0].positives

    Raises:
        DataError: The file cannot be read, has no rows, or rows are wrong (three shown, all counted).
    """
    file = Path(path)
    found: list[Ranking] = []
    faults: list[str] = []
    for record in read_records(file, file_type(file), notes=[]):
        where = f"{file.name}:{record.line}"
        try:
            if isinstance(record, Fault):
                raise DataError(record.sentence)
            found.append(ranking(record.values, name=where))
        except DataError as error:
            faults.append(str(error) if str(error).startswith("example ") else f"{where}: {error}")
    if faults:
        raise DataError(collected(faults))
    if not found:
        raise DataError(f"{file}: the file holds no rows; expected at least one")
    return found


def is_ranking(values: Mapping[str, Any]) -> bool:
    """Whether a row is meant as a ranking, right or wrong.

    >>> is_ranking({"query": "tea", "pos": ["a hot drink"]}), is_ranking({"input": "2 + 2", "output": "4"})
    (True, False)
    """
    return "query" in values and ("pos" in values or "neg" in values)


def ranking(values: Mapping[str, Any], *, name: str = "") -> Ranking:
    """One row as a ranking.

    >>> ranking({"query": "tea", "pos": ["a hot drink"], "neg": ["a bicycle"]}).negatives
    ('a bicycle',)

    Raises:
        DataError: A field is missing, of the wrong type, empty, or not known.
    """
    for key in values:
        if key not in _FIELDS and key not in _BESIDE:
            raise DataError(
                f"field {key!r} is not known; a ranking has query, pos and neg{proposal(key, _FIELDS)}"
            )
    for key in ("query", "pos"):
        if key not in values:
            raise DataError(f"field {key!r} is missing; every row needs query and pos")
    if not isinstance(values["query"], str):
        raise DataError(f"field 'query' is {kind(values['query'])}, expected text")
    return Ranking(values["query"], _texts(values, "pos"), _texts(values, "neg"), id=name)


def _texts(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = values.get(key)
    if found is None and key == "neg":
        return ()
    if not isinstance(found, list | tuple):
        raise DataError(f"field {key!r} is {kind(found)}, expected a list of texts")
    for passage in found:
        if not isinstance(passage, str):
            raise DataError(f"field {key!r} holds {kind(passage)}, expected texts alone")
    return tuple(found)

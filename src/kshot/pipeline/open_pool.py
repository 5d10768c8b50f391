"""The open datasets: streamed, guarded against shots and test rows, embedded once. Rows are never all held.

Only this part sees test rows, and only to keep them out: what it hands on is a pool without them.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.formats import iter_examples, read_examples
from kshot.data.selection import Drop
from kshot.data.task import Task
from kshot.errors import DataError
from kshot.measure.contamination import guard
from kshot.methods.select_data import Pool
from kshot.models.base import Embedder, Ints
from kshot.models.embed.remember import RememberingEmbedder
from kshot.models.embed.rows import PickedRows
from kshot.models.embed.store import EmbeddingStore
from kshot.runs import Listener, slug

RowText: TypeAlias = Literal["record", "question"]
TextChoice: TypeAlias = Literal["auto", "record", "question"]

NO_ANSWER = "no answer"
SAME_ROW = "repeats an earlier row"
_BLOCK_ROWS = 4096
_REMEMBERED = 10_000  # shots, protected and chosen rows, of all splits
_ROW_FILES = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"}


@dataclass(frozen=True, slots=True, eq=False)
class GuardedPool:
    """What the guard let through of some files of rows.

    Attributes:
        files: As they are read, one after another; a row's place is its number over all of them.
        protected: The rows that must not come back, by group.
        keys: (N,) a hash of each row's content.
        kept: (N',) places of the rows that may be chosen.
        dropped: The others: near a protected row, without an answer, or the same as an earlier row.
    """

    files: tuple[Path, ...]
    protected: Mapping[str, Sequence[Example]]
    keys: NDArray[np.uint64]
    kept: Ints
    dropped: tuple[Drop, ...]

    def rows(self) -> Iterator[Example]:
        """Every row again, in order.

        Raises:
            DataError: A file is no longer what the guard saw.
        """
        count = 0
        for place, row in enumerate(read_rows(self.files)):
            if place >= len(self.keys) or int(row.id, 16) != self.keys[place]:
                raise DataError(f"{row.source}: the file was changed while it was read; begin again")
            yield row
            count += 1
        if count < len(self.keys):
            raise DataError(f"{self.files[-1]}: the file was cut while it was read; begin again")

    def counts(self) -> dict[str, int]:
        """Dropped rows by reason."""
        return dict(Counter(drop.reason for drop in self.dropped).most_common())


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPool:
    """A guarded pool and the vectors of its kept rows.

    Attributes:
        guarded: The rows.
        vectors: What ``select_data`` chooses from; its places are those of ``guarded.kept``.
        embedder: Who made the vectors, and makes those of the shots.
        instruction: Of the task: it stands before the shots as pools have it before their rows.
        text: What of a row is embedded.
    """

    guarded: GuardedPool
    vectors: Pool
    embedder: Embedder
    instruction: str
    text: RowText


def dataset_files(places: Iterable[Path | str]) -> tuple[Path, ...]:
    """The files of rows that are named: files, or all files of a folder, by name.

    Raises:
        DataError: A place is no file or folder here, or a folder without files of rows.
    """
    found: list[Path] = []
    for place in places:
        path = Path(place)
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in _ROW_FILES)
            if not inside:
                raise DataError(f"{path}: no file of rows in this folder ({', '.join(sorted(_ROW_FILES))})")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataError(
                f"{place}: no such file; kshot fetches no datasets: download it, and give the file"
            )
    return tuple(dict.fromkeys(found))


def read_rows(files: Sequence[Path]) -> Iterator[Example]:
    """The rows of all files, one by one; sources tell files of one name apart by their paths."""
    names = Counter(file.name for file in files)
    for file in files:
        for row in iter_examples(file, labelled=False):
            if names[file.name] > 1 and row.source:
                row = replace(row, source=f"{file}{row.source[len(file.name) :]}")
            yield row


def protected_rows(task: Task) -> dict[str, tuple[Example, ...]]:
    """All rows that open data must not repeat: the shots, the test rows, and labelled rows not drawn.

    The last would make more shots of the K. Without a test file all shots are judged in some fold.
    """
    groups = {"shots": task.shots, "test": task.test}
    chosen = task.settings.examples
    path = task.settings.folder / chosen.path
    if chosen.k is not None and path.is_file():
        read = read_examples(path, format=chosen.format, columns=chosen.columns or None, labelled=False)
        drawn = {shot.question for shot in task.shots}
        groups["labelled"] = tuple(row for row in read.examples if row.question not in drawn)
    return {name: rows for name, rows in groups.items() if rows}


def guard_pool(
    files: Sequence[Path],
    protected: Mapping[str, Sequence[Example]],
    *,
    template_texts: Sequence[str] = (),
    listener: Listener | None = None,
) -> GuardedPool:
    """Reads the files once and keeps out what ``contamination.guard`` finds near a protected row.

    Then rows without an answer go, and of rows of equal content all but the first.

    Raises:
        DataError: A file cannot be read, or there are none.
    """
    if not files:
        raise DataError("no open datasets are given; name some under knowledge: datasets")
    keys = array("Q")
    unanswered: set[int] = set()

    def noted() -> Iterator[Example]:
        for row in read_rows(files):
            if not row.answer.strip():
                unanswered.add(len(keys))
            keys.append(int(row.id, 16))
            if listener is not None and len(keys) % _BLOCK_ROWS == 0:
                listener("data", stage="guard", rows=len(keys))
            yield row

    verdict = guard(noted(), protected, template_texts=template_texts).selection
    dropped = [*verdict.dropped]
    dropped += [Drop(place, NO_ANSWER) for place in verdict.kept if place in unanswered]
    left = np.array([place for place in verdict.kept if place not in unanswered], dtype=np.int64)
    hashes = np.frombuffer(keys, dtype=np.uint64).copy() if keys else np.zeros(0, dtype=np.uint64)
    _, first, owner = np.unique(hashes[left], return_index=True, return_inverse=True)
    stays = first[owner] == np.arange(len(left))
    origins = left[first[owner]]
    repeats = zip(left[~stays].tolist(), origins[~stays].tolist(), strict=True)
    dropped += [Drop(place, SAME_ROW, neighbour=origin) for place, origin in repeats]
    return GuardedPool(tuple(files), dict(protected), hashes, left[stays], tuple(dropped))


def embed_pool(
    guarded: GuardedPool,
    store: EmbeddingStore,
    *,
    instruction: str = "",
    text: RowText = "record",
    listener: Listener | None = None,
) -> EmbeddedPool:
    """Finds or makes the vector of every kept row; what the store has is not embedded again.

    Args:
        guarded: The rows.
        store: Of the embedder.
        instruction: The task's.
        text: See ``retrieval_text``.
        listener: Told of each block.

    Raises:
        DataError: A file was changed since it was guarded.
        RunError: The store cannot be written.
    """
    allowed = np.zeros(len(guarded.keys), dtype=np.bool_)
    allowed[guarded.kept] = True
    rows = (row for row, wanted in zip(guarded.rows(), allowed, strict=True) if wanted)
    texts = (retrieval_text(row, instruction=instruction, text=text) for row in rows)
    places = [np.zeros(0, dtype=np.int64)]
    done = 0
    while block := list(islice(texts, _BLOCK_ROWS)):
        places.append(store.add(block))
        done += len(block)
        if listener is not None:
            listener("data", stage="embed", rows=done, of=len(guarded.kept))
    vectors = PickedRows(store.vectors, np.concatenate(places))
    pool = Pool(vectors, guarded.keys[guarded.kept])
    remembering = RememberingEmbedder(store.embedder, most=_REMEMBERED)
    return EmbeddedPool(guarded, pool, remembering, instruction, text)


def retrieval_text(row: Example, *, instruction: str = "", text: RowText = "record") -> str:
    r"""What of a row is embedded: the same parts for shots and pool.

    ``record`` is instruction, all that is asked, answer and reasoning. ``question`` leaves out the last two,
    and the task's instruction where the row begins with it.

    Source: ``record`` after arXiv 2408.15915. Among tweets of eight tasks it finds more rows of the right
    task than ``question`` does; on the miniature, whose trades share their answers, it finds fewer.

    >>> retrieval_text(Example("France", "Paris"), instruction="Name the capital.")
    'Name the capital.\nFrance\nParis'
    """
    asked = [row.system or "", *(turn.content for turn in row.history), row.prompt, *(row.choices or ())]
    body = "\n".join(part.strip() for part in asked if part.strip())
    has_it = bool(instruction.strip()) and body.startswith(instruction.strip())
    if text == "question":
        return body.removeprefix(instruction.strip()).strip() or body
    parts = ["" if has_it else instruction.strip(), body, row.answer.strip(), (row.reasoning or "").strip()]
    return "\n".join(part for part in parts if part)


def pool_of(
    task: Task,
    embedder: Embedder,
    *,
    folder: Path,
    text: TextChoice = "auto",
    listener: Listener | None = None,
) -> EmbeddedPool:
    """The guarded and embedded pool of a task's datasets, once for all its splits.

    Args:
        task: With ``knowledge: datasets``.
        embedder: Who encodes; each has a store of its own in the folder.
        folder: Where stores lie; several runs may share it.
        text: See ``retrieval_text``; ``auto`` is the record where answers are labels or choices, which say
            what kind of task a row is, and the question where each row has an answer of its own.
        listener: Told of each block.

    Raises:
        DataError: There are no datasets, or one cannot be read.
        RunError: The store cannot be written.
    """
    settings, words = task.settings, task.template.instruction
    closed = task.template.kind in ("classification", "choice")
    if text == "auto":
        text = "record" if closed else "question"
    files = dataset_files(settings.resolve(place) for place in settings.knowledge.datasets)
    store = EmbeddingStore(folder / slug(embedder.id), embedder)
    guarded = guard_pool(
        files, protected_rows(task), template_texts=[words] if words else (), listener=listener
    )
    return embed_pool(guarded, store, instruction=words, text=text, listener=listener)

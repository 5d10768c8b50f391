"""TweetEval's eleven tasks as tasks: the released folders, or JSONL of the same rows; traps met and noted.

Source: Barbieri et al. 2020, arXiv 2010.12421, and the files of cardiffnlp/tweeteval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kshot.data.draw import draw
from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.nearest import proposal
from kshot.data.task import Task
from kshot.errors import DataError

PREFIX = "tweeteval:"
STANCE = "stance_"
SHOTS = 20
_ABOUT = {
    "abortion": "the legalization of abortion",
    "atheism": "atheism",
    "climate": "the claim that climate change is a real concern",
    "feminist": "the feminist movement",
    "hillary": "Hillary Clinton",
}
_ASKED = {
    "emoji": "Which emoji goes with this tweet? Answer with its name.",
    "emotion": "Which emotion does this tweet express?",
    "hate": "Does this tweet express hate against women or immigrants?",
    "irony": "Is this tweet meant ironically?",
    "offensive": "Does this tweet contain offensive language?",
    "sentiment": "What is the sentiment of this tweet?",
    **{
        STANCE + target: f"What is this tweet's stance towards {about}: against, in favor, or none?"
        for target, about in _ABOUT.items()
    },
}
NAMES = tuple(_ASKED)
STANCES = tuple(name for name in NAMES if name.startswith(STANCE))
_GIVEAWAY = re.compile(r"#(irony|sarcasm|sarcastic|not)\b", re.IGNORECASE)
_EMPTY = "(empty)"


@dataclass(frozen=True, slots=True)
class TweetRows:
    """One task of TweetEval, cleaned.

    Attributes:
        name: One of ``NAMES``.
        labels: In the order of the official indices.
        train: Without rows whose text a test row or an earlier row has.
        test: Every row of the test split, in its order.
        notes: What was done to the rows: a sentence each.
    """

    name: str
    labels: tuple[str, ...]
    train: tuple[Example, ...]
    test: tuple[Example, ...]
    notes: tuple[str, ...] = ()

    @property
    def official(self) -> str:
        """The metric that is TweetEval's own for the task; stance has one for all its targets."""
        return official_metric(self.name)


def official_metric(name: str) -> str:
    """The official metric of a task.

    >>> official_metric("irony"), official_metric("stance_climate")
    ('tweeteval:irony', 'tweeteval:stance')
    """
    return PREFIX + ("stance" if name.startswith(STANCE) else name)


def tweeteval_tasks(named: str) -> tuple[tuple[Path, str], ...]:
    """Folder and name of each task behind ``tweeteval:FOLDER/TASK``, or of all under ``tweeteval:FOLDER``.

    ``FOLDER/stance`` means the targets of stance.

    Raises:
        DataError: There is no such folder, or no task in it.

    Example::

        tweeteval_tasks("tweeteval:tweets/irony")  # ((Path("tweets"), "irony"),)
    """
    path = Path(named.removeprefix(PREFIX)).expanduser()
    if path.name in NAMES:
        return ((path.parent, path.name),)
    if path.parent.name == "stance" and STANCE + path.name in NAMES:
        return ((path.parent.parent, STANCE + path.name),)
    folder, wanted = (path.parent, STANCES) if path.name == "stance" else (path, NAMES)
    found = tuple((folder, name) for name in wanted if _folder(folder, name) is not None)
    if found:
        return found
    if path.is_dir():
        raise DataError(
            f"{path}: no task of TweetEval in this folder; expected {', '.join(NAMES[:3])}, ... with "
            "test_text.txt and test_labels.txt, or test.jsonl"
        )
    near = proposal(path.name, NAMES) if path.parent.is_dir() else ""
    raise DataError(f"{path}: there is no such folder{near}; expected tweeteval:FOLDER or FOLDER/TASK")


def read_tweeteval(folder: Path, name: str) -> TweetRows:
    """Reads one task and cleans it.

    - ``irony``: the hashtags that give the label away in its test texts are cut out of them.
    - ``sentiment``: where the train texts are missing, the validation rows stand in for them.
    - Rows of train whose text is that of a test row or of an earlier row are left out. Texts are compared
      normalised.

    Raises:
        DataError: A file is missing or cannot be read, texts and labels differ in number, or a label is
            none of the task's.

    Example::

        rows = read_tweeteval(Path("tweets"), "irony")
        rows.labels, len(rows.train), rows.notes
    """
    place = _folder(folder, name)
    if place is None:
        raise DataError(f"{folder / name}: no such task of TweetEval; expected test_text.txt or test.jsonl")
    released = (place / "test_text.txt").is_file()
    labels = _mapping(place) if released else tuple(_lines(place / "labels.txt"))
    notes: list[str] = []
    split = "train"
    first = place / ("train_text.txt" if released else "train.jsonl")
    if name == "sentiment" and not first.is_file():
        split = "val" if released else "validation"
    train, test = (_rows(place, name, one, labels) for one in (split, "test"))
    if split != "train":
        notes.append(
            f"sentiment: the train texts are missing; {len(train):,} validation rows stand in for them."
        )
    asked = {row.question for row in test}
    if name == "irony":
        test = _without_giveaways(test, notes)
    train = _cleaned(name, train, asked | {row.question for row in test}, notes)
    return TweetRows(name, labels, train, test, tuple(notes))


def tweeteval_task(
    rows: TweetRows, *, k: int | None = None, seed: int | None = None, metric: str = "macro_f1"
) -> Task:
    """The task: K shots drawn from train by the seed, judged on the test split.

    Args:
        rows: Of ``read_tweeteval``.
        k: How many shots; None: 20, or all rows of train where they are fewer.
        seed: Of the draw; None: 0.
        metric: ``macro_f1``, or ``official`` for TweetEval's own.

    Raises:
        TaskError: ``k`` is more than there are rows.

    >>> rows = [Example(f"a {word} tweet", word) for word in ("fine", "bad")]
    >>> found = TweetRows("irony", ("fine", "bad"), tuple(rows), (Example("so fine", "fine"),))
    >>> tweeteval_task(found, metric="official").metric
    'tweeteval:irony'
    """
    count = min(SHOTS, len(rows.train)) if k is None else k
    ids, strata = [row.id for row in rows.train], [row.answer for row in rows.train]
    drawn = draw(ids, k=count, seed=seed or 0, strata=strata)
    settings = {
        "task": {
            "name": rows.name,
            "type": "classification",
            "instruction": _ASKED[rows.name],
            "labels": rows.labels,
        },
        "examples": {"path": f"tweeteval-{rows.name}/train", "k": count, "seed": seed or 0},
        "metric": rows.official if metric == "official" else metric,
    }
    task = Task.from_examples(settings, [rows.train[place] for place in drawn], rows.test)
    return replace(task, notes=(*rows.notes, *task.notes))


def _folder(folder: Path, name: str) -> Path | None:
    """Where a task lies: ``FOLDER/TASK``, for stance also ``FOLDER/stance/TARGET``."""
    places = [folder / name]
    if name.startswith(STANCE):
        places.append(folder / "stance" / name.removeprefix(STANCE))
    files = ("test_text.txt", "test.jsonl")
    return next((place for place in places if any((place / file).is_file() for file in files)), None)


def _rows(place: Path, name: str, split: str, labels: Sequence[str]) -> tuple[Example, ...]:
    """One split in either layout, every label a known one."""
    if (place / "test_text.txt").is_file():
        return _released_rows(place, name, split, labels)
    path = place / f"{split}.jsonl"
    found = read_examples(path, labelled=False).examples
    strange = next((row for row in found if row.answer not in labels), None)
    if strange is not None:
        raise DataError(f"{path}: label {strange.answer!r} ({strange.source}) is none of {', '.join(labels)}")
    return tuple(replace(row, source=f"{name}/{row.source}") for row in found)


def _released_rows(place: Path, name: str, split: str, labels: Sequence[str]) -> tuple[Example, ...]:
    texts, codes = _lines(place / f"{split}_text.txt"), _lines(place / f"{split}_labels.txt")
    if len(texts) != len(codes):
        raise DataError(
            f"{place / f'{split}_text.txt'}: {len(texts):,} lines, but {split}_labels.txt has "
            f"{len(codes):,}; expected one label for each text"
        )
    known = {str(code): label for code, label in enumerate(labels)}
    found = []
    for number, (text, code) in enumerate(zip(texts, codes, strict=True), 1):
        if code not in known:
            where = place / f"{split}_labels.txt"
            raise DataError(f"{where}:{number}: label {code!r} is none of 0 to {len(labels) - 1}")
        found.append(Example(text or _EMPTY, known[code], source=f"{name}/{split}_text.txt:{number}"))
    return tuple(found)


def _mapping(place: Path) -> tuple[str, ...]:
    """Names by index; of three columns (emoji) the last, as words: ``_red_heart_`` is red heart."""
    path = place / "mapping.txt"
    if not path.is_file():  # the targets of stance share one
        path = place.parent / "mapping.txt"
    names: dict[int, str] = {}
    for number, line in enumerate(_lines(path), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) < 2 or not cells[0].isdecimal() or not all(cells[:2]):
            raise DataError(f"{path}:{number}: found {line!r}, expected an index, a tab and a name")
        name = cells[2] if len(cells) > 2 and cells[2] else cells[1]
        names[int(cells[0])] = " ".join(name.split("_")).strip() if len(cells) > 2 else name
    if sorted(names) != list(range(len(names))) or len(names) < 2:
        raise DataError(f"{path}: the indices are {sorted(names)}, expected 0, 1, ... without a gap")
    return tuple(names[code] for code in range(len(names)))


def _lines(path: Path) -> list[str]:
    r"""Lines apart at ``\n`` alone, each stripped; a final line end makes no further line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    return [line.strip() for line in text.removesuffix("\n").split("\n")] if text else []


def _without_giveaways(test: Sequence[Example], notes: list[str]) -> tuple[Example, ...]:
    changed = 0
    found = []
    for row in test:
        if _GIVEAWAY.search(row.prompt):
            changed += 1
            text = " ".join(_GIVEAWAY.sub("", row.prompt).split())
            row = replace(row, prompt=text or _EMPTY)
        found.append(row)
    if changed:
        notes.append(
            "irony: #irony, #sarcasm, #sarcastic and #not were cut out of "
            f"{changed:,} of {len(test):,} test texts: they give the label away."
        )
    return tuple(found)


def _cleaned(name: str, train: Sequence[Example], asked: set[str], notes: list[str]) -> tuple[Example, ...]:
    """The rows to learn from; what is left out is counted by its reason."""
    seen: set[str] = set()
    kept, dropped = (
        [],
        {"have no text": 0, "have the text of a test row": 0, "repeat an earlier row's text": 0},
    )
    for row in train:
        question = row.question
        if row.prompt == _EMPTY:
            dropped["have no text"] += 1
        elif question in asked:
            dropped["have the text of a test row"] += 1
        elif question in seen:
            dropped["repeat an earlier row's text"] += 1
        else:
            seen.add(question)
            kept.append(row)
    notes += [
        f"{name}: {count:,} of {len(train):,} labelled rows were left out, as they {reason}."
        for reason, count in dropped.items()
        if count
    ]
    return tuple(kept)

"""Experts as a task names them: what a head says of its own rows, and labels that are not the task's."""

from pathlib import Path

import pytest

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.measure.expert_answers import out_of_fold_probabilities
from kshot.models.classifier import EmbeddingHead
from kshot.models.embed import HashingEncoder
from kshot.pipeline.panda.expert import HeadExpert, open_expert
from kshot.pipeline.panda.learn_job import bench_of, expert_rows_of

LABELS = ("calm", "angry")
ROWS = tuple(Example(f"{LABELS[at % 2]} row number {at}", LABELS[at % 2]) for at in range(12))


def head_on(rows: tuple[Example, ...], labels: tuple[str, ...] = LABELS) -> EmbeddingHead:
    texts, answers = [row.prompt for row in rows], [row.answer for row in rows]
    return EmbeddingHead.fit(HashingEncoder(), texts, answers, label_names=labels)


def test_a_head_speaks_out_of_fold_of_a_text_that_is_its_own_but_for_case_and_blanks() -> None:
    template = Template(kind="classification", labels=LABELS)
    expert = HeadExpert(HashingEncoder(), ROWS, template, head_on(ROWS))
    texts, answers = [row.prompt for row in ROWS], [row.answer for row in ROWS]
    held_out = out_of_fold_probabilities(HashingEncoder(), texts, answers, label_names=LABELS).probabilities
    asked = [Example(ROWS[3].prompt.upper().replace(" ", "  "), ""), Example("a calm evening", ""), ROWS[0]]
    own, other, same = ({c.answer: c.probability for c in p.candidates} for p in expert.prefer(asked))
    assert own == {name: pytest.approx(held_out[3][at], rel=1e-5) for at, name in enumerate(LABELS)}
    assert same == {name: pytest.approx(held_out[0][at], rel=1e-5) for at, name in enumerate(LABELS)}
    fresh = head_on(ROWS).predict_proba(["a calm evening"])[0]
    assert other == {name: pytest.approx(fresh[at], rel=1e-5) for at, name in enumerate(LABELS)}


def test_a_saved_head_with_labels_of_another_task_is_refused(tmp_path: Path) -> None:
    rows = tuple(Example(f"{name} {at}", name) for at in range(6) for name in ("joy", "calm"))
    head_on(rows, ("joy", "calm")).save(tmp_path / "head")
    settings = {"task": {"name": "moods", "type": "classification", "labels": list(LABELS)}}
    bench = bench_of(Task.from_examples(settings, ROWS))
    with pytest.raises(InputError, match="label 'joy' is none of the task's"):
        open_expert(bench, str(tmp_path / "head"))


def test_learning_and_judging_keep_the_same_rows_from_a_head(tmp_path: Path) -> None:
    test = Example("the harbour lies quiet in the early morning light today", "calm")
    near = "the harbour lies quiet in the early morning light today !"
    file = tmp_path / "rows.jsonl"
    file.write_text(
        "".join(f'{{"text": "{text}", "label": "calm"}}\n' for text in (near, test.prompt, "a far field"))
    )
    settings = {"task": {"name": "moods", "type": "classification", "labels": list(LABELS)}}
    bench = bench_of(Task.from_examples(settings, ROWS, [test]))
    assert [row.prompt for row in expert_rows_of(bench, file)] == ["a far field"]
    assert expert_rows_of(bench, None) == ()

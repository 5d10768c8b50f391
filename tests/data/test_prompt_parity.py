"""One prompt builder for scoring, training and asking: to the byte, to the token."""

import json

import pytest

from kshot import miniature
from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.template import Template
from kshot.models.text import TextFormat
from kshot.pipeline.lessons import Rows, lessons


@pytest.fixture(scope="module")
def text():
    return TextFormat.load(miniature.base_folder())


def test_an_empty_and_an_absent_input_are_the_same_prompt(tmp_path, text):
    """D5: no line is left where an empty input stood."""
    found = []
    for name, row in (
        ("absent", {"instruction": "the trade words", "output": "iron"}),
        ("empty", {"instruction": "the trade words", "input": "", "output": "iron"}),
    ):
        file = tmp_path / f"{name}.jsonl"
        file.write_text(json.dumps(row) + "\n", encoding="utf-8")
        example = read_examples(file, format="alpaca").examples[0]
        found.append(text.encode(Template().conversation(example), Template().target(example)).ids)
    assert found[0] == found[1]


def test_training_learns_exactly_what_scoring_scores(text):
    """D5: the masked part is the prompt's tokens, and the last token that is learned is the end."""
    template = Template(instruction="translate the trade words", reasoning="answer_first")
    shot = Example("grirem smotir", "letter plate", reasoning="grirem is letter ; smotir is plate")
    rows = lessons(Rows([shot]), template)
    learned = text.encode(rows.conversations[0], rows.targets[0])
    assert rows.conversations[0] == template.conversation(shot)
    assert list(learned.ids[: learned.start]) == text.encode_prompt(template.conversation(shot))
    assert learned.start == len(text.encode_prompt(template.conversation(shot)))
    assert learned.ids[-1] == text.end_id

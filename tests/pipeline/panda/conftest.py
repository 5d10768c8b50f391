"""A made-up task whose texts carry a signal that neighbours share, an expert for it, and a simulated LLM."""

import random

import pytest

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.methods.panda.learn import Lesson, learn
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.preferences import from_gold, from_probabilities
from kshot.methods.panda.prompts import open_prompts
from kshot.methods.panda.records import ExpertFacts, Insight
from kshot.models.embed import HashingEncoder
from kshot.models.fake.simulated import SimulatedReader
from kshot.pipeline.panda.parts import Parts

LABELS = ("harbour", "orchard", "quarry", "foundry")
SYLLABLES = ("ano", "elbi", "utra", "osk", "imel", "arn", "ode", "yth", "ugge", "ivo", "ent", "aps")
SIGNAL = {label: [f"{label[:3]}{syllable}" for syllable in SYLLABLES] for label in LABELS}
FILLER = [f"word{number}" for number in range(40)]


def drawn(count, seed, source):
    """Texts of six words: three of the class, three of no class; labels in turn, so balanced."""
    rng = random.Random(seed)
    rows = []
    for at in range(count):
        label = LABELS[at % len(LABELS)]
        words = rng.sample(SIGNAL[label], 3) + rng.sample(FILLER, 3)
        rng.shuffle(words)
        rows.append(Example(" ".join(words), label, source=f"{source}:{at}"))
    return tuple(rows)


class World:
    """Rows, an expert that is right about most of them, and parts on any model."""

    def __init__(self, learned=80, judged=80):
        self.learned, self.judged = drawn(learned, 1, "learn"), drawn(judged, 2, "test")
        self.template = Template(
            instruction="Say where the text was written.", kind="classification", labels=LABELS
        )
        self.prompts = open_prompts(self.template)
        self.embedder = HashingEncoder()
        self.truth = {row.prompt: row.answer for row in (*self.learned, *self.judged)}

    def simulated(self, prior=0.3):
        """It passes over cases that share no word with the query, as a model that reads would."""
        return SimulatedReader(LABELS, truth=self.truth, right_share=prior, least_shared=1)

    def probabilities(self, row, right_share=0.85):
        """An expert's, right in a fixed share of the texts."""
        rng = random.Random(row.prompt)
        others = [label for label in LABELS if label != self.truth[row.prompt]]
        top = self.truth[row.prompt] if rng.random() < right_share else rng.choice(others)
        second = rng.choice([label for label in LABELS if label != top])
        return [0.7 if label == top else 0.2 if label == second else 0.05 for label in LABELS]

    def preferences(self, rows):
        facts = ExpertFacts("classifier", "made-up")
        return [
            from_probabilities(
                row.prompt, LABELS, self.probabilities(row), expert=facts, gold=row.answer or None
            )
            for row in rows
        ]

    def lessons(self, *, gold=False):
        found = self.preferences(self.learned)
        if gold:
            found = [
                from_gold(row.prompt, row.answer, expert_preference=one)
                for row, one in zip(self.learned, found, strict=True)
            ]
        return tuple(
            Lesson(row, one, at) for at, (row, one) in enumerate(zip(self.learned, found, strict=True))
        )

    def expert(self, rows):
        return [one.top.answer for one in self.preferences(rows)]

    def parts(self, model, *, gold=False, **changes):
        lessons = self.lessons(gold=gold)
        found = [one for one in learn(model, lessons, prompts=self.prompts) if isinstance(one, Insight)]
        header = PoolHeader("places", kind="classification", labels=LABELS, expert=ExpertFacts("classifier"))
        default = {"metric": "accuracy", "labelled": self.learned, "expert": self.expert}
        return Parts(
            template=self.template, model=model, prompts=self.prompts, embedder=self.embedder,
            pool=InsightPool(found, header), lessons=lessons, **(default | changes),
        )  # fmt: skip


@pytest.fixture(scope="session")
def world():
    return World()

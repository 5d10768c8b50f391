"""A model that writes rows as prompts ask for them: a function of the request's text and seed alone."""

import hashlib
import json
import random
import re
from collections.abc import Callable, Sequence

from kshot.data.example import Conversation
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import Reply

VERBS = ("Write", "Name", "Explain", "Compare", "List", "Describe", "Shorten", "Rewrite")
ROOTS = (
    "bar",
    "cel",
    "dom",
    "fen",
    "gol",
    "hin",
    "jas",
    "kep",
    "lum",
    "mor",
    "nid",
    "pol",
    "rus",
    "sil",
    "tav",
)
WORDS = tuple(a + b + c for a in ROOTS for b in ROOTS for c in ("", "ta", "ren"))


def asked_name(text: str) -> str:
    return re.search(r"^(?:Name: |名称：)(.*)$", text, re.M)[1]


def asked_count(text: str) -> int:
    return int(re.search(r"^(?:Wanted: (\d+) rows|数量：(\d+) 条)$", text, re.M).expand(r"\1\2"))


def nonsense(seed: object, words: int = 8) -> str:
    """An instruction that overlaps with no other one, except by a very unlikely draw."""
    digest = hashlib.blake2b(str(seed).encode(), digest_size=8).digest()
    draw = random.Random(int.from_bytes(digest, "big"))
    return " ".join([draw.choice(VERBS), *draw.choices(WORDS, k=words)]) + "."


def rows_text(items: Sequence[Item]) -> str:
    rows = [{"instruction": i.instruction, "input": i.input, "output": i.output} for i in items]
    return json.dumps({"rows": rows}, ensure_ascii=False)


class Writer:
    """Gives what is wanted; ``script(text, seed)`` says something else. Counts what it was asked."""

    def __init__(self, script: Callable[[str, int], str | Reply] | None = None) -> None:
        self.script = script or self.fresh
        self.texts: list[str] = []
        self.calls = 0
        self.tokens = 0

    id = "writer"

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        found = []
        for conversation in conversations:
            self.calls += 1
            self.texts.append(conversation[-1].content)
            said = self.script(conversation[-1].content, seed)
            prompt = sum(len(turn.content.split()) for turn in conversation)
            reply = said if isinstance(said, Reply) else Reply(said, prompt, len(said.split()))
            self.tokens += reply.prompt_tokens + reply.completion_tokens
            found.append(reply)
        return found

    @staticmethod
    def fresh(text: str, seed: int) -> str:
        name = asked_name(text)
        return rows_text(
            [
                Item(nonsense((name, text, seed, place)), "", f"Done {place}.")
                for place in range(asked_count(text))
            ]
        )


def planted(*names: str) -> Exploration:
    tree = DomainTree.planted("rewriting", "Texts are changed, their meaning stays.")
    for name in names:
        tree.add(tree.root.id, name, reason=f"All that is {name}.")
    return Exploration(tree)

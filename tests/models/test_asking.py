from collections.abc import Iterable, Iterator

import pytest

from kshot.data.example import Message
from kshot.errors import ModelError
from kshot.models.asking import Decoding, Question, asked, replies
from kshot.models.base import Reply
from kshot.models.fake import ScriptedModel


def question(text: str, **more: object) -> Question:
    return Question((Message("user", text),), **more)


def two_words(text: str) -> str:
    return "" if len(text.split()) == 2 else "Reply with two words."


class Backwards:
    """An ``Asker`` that answers from the last question to the first, in small bites."""

    id = "backwards"

    def __init__(self) -> None:
        self.closed = 0

    def generate(self, conversations: list, **decoding: object) -> list[Reply]:
        raise AssertionError("an Asker is asked")

    def ask(self, questions: Iterable[Question]) -> Iterator[tuple[int, Reply]]:
        try:
            for position, one in reversed(list(enumerate(questions))):
                last = one.conversation[-1].content
                text = "right now" if last.startswith("Reply") else last
                yield position, Reply(text, prompt_tokens=2, completion_tokens=1, calls=1, usd=0.5)
        finally:
            self.closed += 1


def test_replies_of_an_asker_keep_their_positions() -> None:
    found = list(asked(Backwards(), [question(t) for t in "abc"]))
    assert [(position, reply.text) for position, reply in found] == [(2, "c"), (1, "b"), (0, "a")]
    assert [reply.text for reply in replies(Backwards(), [question(t) for t in "abc"])] == ["a", "b", "c"]


def test_a_wrong_reply_is_asked_for_once_more_with_the_reason_and_the_cost_of_both() -> None:
    model = ScriptedModel(lambda c: "well then" if c[-1].content == "Reply with two words." else "no")
    [fine] = replies(model, [question("go", check=two_words)])
    assert fine.text == "well then"
    assert [turn.content for turn in model.conversations[1]] == ["go", "no", "Reply with two words."]
    [mended] = replies(Backwards(), [question("one", check=two_words)])
    assert (mended.text, mended.calls, mended.usd, mended.prompt_tokens) == ("right now", 2, 1.0, 4)


def test_wrong_twice_is_a_failure_and_nothing_is_filled_in() -> None:
    [reply] = replies(ScriptedModel(["no", "never ever again"]), [question("go", check=two_words)])
    assert (reply.text, reply.finish_reason) == ("", "error")
    assert reply.error == "unusable twice: Reply with two words."


def test_a_failure_is_not_checked_and_not_repaired() -> None:
    failed = Reply("", finish_reason="error", error="gone")
    model = ScriptedModel([failed])
    assert replies(model, [question("go", check=two_words)]) == [failed]


def test_only_the_wrong_ones_are_repaired_and_each_comes_once() -> None:
    texts = ["a b", "c", "d e", "f"]
    found = list(asked(Backwards(), [question(t, check=two_words) for t in texts]))
    assert [position for position, _ in found] == [2, 0, 1, 3]
    assert {reply.text for _, reply in found} == {"a b", "d e", "right now"}


def test_equal_decodings_go_together_and_draws_have_seeds_of_their_own() -> None:
    seen = []

    class Noting:
        id = "noting"

        def generate(self, conversations: list, **decoding: object) -> list[Reply]:
            seen.append((len(conversations), decoding["seed"], decoding["temperature"]))
            return [Reply("x")] * len(conversations)

    greedy, drawn = Decoding(), [Decoding(temperature=1.0, seed=5, sample=n) for n in range(2)]
    asked_for = [question("a", decoding=d) for d in (greedy, drawn[0], greedy, drawn[1])]
    assert len(replies(Noting(), asked_for)) == 4
    assert seen == [(2, 0, 0.0), (1, 5, 1.0), (1, 6, 1.0)]


def test_questions_are_taken_a_batch_ahead_of_a_local_model() -> None:
    taken = []

    def lazily() -> Iterator[Question]:
        for number in range(200):
            taken.append(number)
            yield question(str(number))

    coming = asked(ScriptedModel(lambda c: "x"), lazily())
    next(coming)
    assert len(taken) == 64


def test_left_early_the_asker_is_closed_at_once() -> None:
    model = Backwards()
    coming = asked(model, [question(t) for t in "abc"])
    next(coming)
    coming.close()
    assert model.closed == 1


def test_one_question_that_the_model_refuses_fails_alone() -> None:
    def picky(conversation: tuple[Message, ...]) -> str:
        if conversation[-1].content == "b":
            raise ModelError("too long")
        return "x"

    found = replies(ScriptedModel(picky), [question(t) for t in "abc"])
    assert [(reply.text, reply.error) for reply in found] == [("x", ""), ("", "too long"), ("x", "")]


def test_a_model_that_refuses_all_is_told() -> None:
    def broken(conversation: tuple[Message, ...]) -> str:
        raise ModelError("no weights")

    with pytest.raises(ModelError, match="no weights"):
        replies(ScriptedModel(broken), [question(t) for t in "abc"])

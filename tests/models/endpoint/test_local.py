from pathlib import Path

import numpy as np
import pytest
from endpoint_questions import question, questions

from kshot.data.example import Message
from kshot.errors import BudgetError, InputError, ModelError
from kshot.models.asking import Asker, replies
from kshot.models.base import ChoiceScores, LanguageModel, LossModel, Reply
from kshot.models.endpoint import Budget, LocalEndpoint, LocalLossEndpoint, local_endpoint
from kshot.models.fake import ScriptedModel
from kshot.models.journal import Journal


def echoing() -> ScriptedModel:
    return ScriptedModel(lambda conversation: f"re: {conversation[-1].content}", id="echo")


class Measurable:
    """A scripted model whose likelihoods can be read."""

    id = "measurable"

    def generate(self, conversations: list, **decoding: object) -> list[Reply]:
        return [Reply("x", 1, 1)] * len(conversations)

    def token_losses(self, conversations: list, targets: list) -> list:
        return ["losses"]

    def choice_scores(self, conversations: list, choices: list) -> list[ChoiceScores]:
        one = np.ones(1, dtype=np.int64)
        return [ChoiceScores(np.zeros(1, dtype=np.float32), one, one)]


def test_a_rerun_asks_nothing(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    first = echoing()
    with LocalEndpoint(first, journal=place) as local:
        assert isinstance(local, LanguageModel)
        assert isinstance(local, Asker)
        found = replies(local, questions(100))
        assert found[99].text == "re: question 99"
        assert local.usage()[0].calls == 100
    second = echoing()
    with LocalEndpoint(second, journal=place) as local:
        again = replies(local, [*questions(100), question("new")])
        usage = local.usage()[0]
    assert [(reply.text, reply.cached) for reply in again[:100]] == [(reply.text, True) for reply in found]
    assert (len(second.conversations), usage.calls, usage.cached) == (1, 1, 100)


def test_another_model_does_not_read_its_replies(tmp_path: Path) -> None:
    with LocalEndpoint(echoing(), journal=tmp_path / "calls.sqlite") as local:
        replies(local, questions(3))
    with LocalEndpoint(ScriptedModel(["x"] * 3, id="other"), journal=tmp_path / "calls.sqlite") as local:
        assert {reply.text for reply in replies(local, questions(3))} == {"x"}


def test_generate_equals_the_models_own() -> None:
    conversations = [(Message("user", text),) for text in ("a b c", "a b c", "d")]
    for decoding in ({"max_new_tokens": 2}, {"stop": [" "]}, {"temperature": 0.0, "seed": 4}):
        found = LocalEndpoint(echoing()).generate(conversations, **decoding)
        assert found == echoing().generate(conversations, **decoding)


def test_a_budget_stops_between_questions_and_goes_on_later(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    found = {}
    with (
        LocalEndpoint(echoing(), journal=place, budget=Budget(calls=70)) as local,
        pytest.raises(BudgetError, match="70 of 70 calls"),
    ):
        found.update(local.ask(questions(100)))
    assert sorted(found) == list(range(70))
    with LocalEndpoint(echoing(), journal=place) as local:
        assert sum(reply.cached for reply in replies(local, questions(100))) == 70


def test_tokens_that_were_reserved_and_not_used_are_free_again() -> None:
    local = LocalEndpoint(echoing(), budget=Budget(tokens=400))  # 60 real ones of 5, never 60 of 28 at once
    assert len(replies(local, questions(60))) == 60


def test_money_is_not_what_a_local_model_costs() -> None:
    with pytest.raises(InputError, match="costs no USD"):
        LocalEndpoint(echoing(), budget=Budget(usd=1))


def test_one_bad_question_fails_alone_and_is_asked_again_next_time(tmp_path: Path) -> None:
    def picky(conversation: tuple[Message, ...]) -> str:
        if conversation[-1].content == "question 2":
            raise ModelError("this prompt is too long")
        return "ok"

    for _ in range(2):
        with LocalEndpoint(ScriptedModel(picky, id="picky"), journal=tmp_path / "calls.sqlite") as local:
            found = replies(local, questions(5))
            assert [reply.finish_reason for reply in found] == ["stop", "stop", "error", "stop", "stop"]
            assert found[2].error == "this prompt is too long"
            assert local.usage()[0].failed == 1


def test_a_model_that_refuses_everything_is_an_error() -> None:
    def broken(conversation: tuple[Message, ...]) -> str:
        raise ModelError("no weights")

    with pytest.raises(ModelError, match="no weights"):
        replies(LocalEndpoint(ScriptedModel(broken)), questions(5))


def test_likelihoods_stay_within_reach(tmp_path: Path) -> None:
    plain = local_endpoint(echoing())
    assert isinstance(plain, LocalEndpoint)
    assert not isinstance(plain, LossModel)
    with local_endpoint(Measurable(), journal=tmp_path / "calls.sqlite") as local:
        assert isinstance(local, LocalLossEndpoint)
        assert isinstance(local, LanguageModel)
        assert isinstance(local, LossModel)
        assert isinstance(local, Asker)
        assert local.token_losses([], []) == ["losses"]
        assert local.choice_scores([], [])[0].best() == 0
        assert local.generate([(Message("user", "a"),)])[0].text == "x"
    with pytest.raises(InputError, match="cannot be read"):
        LocalLossEndpoint(echoing())


def test_read_only_and_estimate(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    with LocalEndpoint(echoing(), journal=place) as local:
        replies(local, questions(2))
        estimate = local.estimate(questions(5))
        assert (estimate.cached, estimate.calls, estimate.usd) == (2, 3, None)
    with Journal(place, mode="read_only") as journal:
        local = LocalEndpoint(echoing(), journal=journal)
        assert len(replies(local, questions(2))) == 2
        with pytest.raises(InputError, match="read_only"):
            replies(local, questions(3))

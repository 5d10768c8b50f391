"""The scripted model."""

import pytest

from kshot.data.example import Message
from kshot.errors import ModelError
from kshot.models.asking import Decoding, Question, replies
from kshot.models.base import LanguageModel, Reply
from kshot.models.fake import ScriptedModel

HI = (Message("user", "hi you"),)


def test_a_function_sees_the_conversation_and_its_text_is_cut() -> None:
    model = ScriptedModel(lambda turns: turns[-1].content + " one\ntwo", id="mine")
    assert isinstance(model, LanguageModel)
    assert model.generate([HI], stop=["\n"]) == [Reply("hi you one", 2, 3, "stop")]
    assert model.generate([HI], max_new_tokens=2) == [Reply("hi you", 2, 2, "length")]
    assert model.conversations == [HI, HI]
    assert model.id == "mine"


def test_a_reply_is_given_as_it_is() -> None:
    failed = Reply("", finish_reason="error", error="broken")
    assert ScriptedModel([failed]).generate([HI]) == [failed]


def test_a_script_without_a_reply_says_so() -> None:
    with pytest.raises(ModelError, match="used up"):
        ScriptedModel([]).generate([HI])
    with pytest.raises(ModelError, match="no reply to 'hi you'"):
        ScriptedModel({"hi": "x"}).generate([HI])


def test_it_is_asked_once_more_where_a_check_fails() -> None:
    model = ScriptedModel(["wrong", "right"])
    question = Question(HI, Decoding(), check=lambda text: "" if text == "right" else "say right")
    assert replies(model, [question])[0].text == "right"
    assert model.conversations[1][-1] == Message("user", "say right")

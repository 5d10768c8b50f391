from endpoint_questions import question
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Message
from kshot.models.asking import Decoding
from kshot.models.endpoint.request import before_stop, canonical, drawn, tokens_of, wire
from kshot.models.journal import request_key


def sent(**decoding: object) -> dict:
    return wire(canonical(question("cold?", **decoding), endpoint="http://h/v1", model="m"))


def test_what_is_sent() -> None:
    assert sent(max_new_tokens=5, stop=("\n",)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "cold?"}],
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 1,
        "n": 1,
        "stop": ["\n"],
    }


def test_draws_of_one_question_have_seeds_of_their_own() -> None:
    assert [sent(temperature=0.7, seed=3, sample=n)["seed"] for n in range(3)] == [3, 4, 5]


def test_log_probabilities_and_a_format_are_asked_for_where_wanted() -> None:
    assert (sent(logprobs=5)["logprobs"], sent(logprobs=5)["top_logprobs"]) == (True, 5)
    assert "logprobs" not in sent()


def test_the_key_tells_everything_apart_that_changes_the_reply() -> None:
    def key(text: str = "cold?", endpoint: str = "h", model: str = "m", **decoding: object) -> str:
        return request_key(canonical(question(text, **decoding), endpoint=endpoint, model=model))

    others = [
        key("warm?"),
        key(endpoint="g"),
        key(model="n"),
        key(max_new_tokens=9),
        key(temperature=0.5),
        key(stop=("x",)),
        key(seed=1),
        key(sample=1),
        key(logprobs=1),
    ]
    assert len({key(), *others}) == len(others) + 1
    step = request_key(canonical(question("cold?", step="judge"), endpoint="h", model="m"))
    assert step == key()


def test_equal_conversations_are_draws_unless_decoding_is_greedy() -> None:
    a, b = (Message("user", "a"),), (Message("user", "b"),)
    assert [d.sample for _, d in drawn([a, b, a], Decoding(temperature=0.5))] == [0, 0, 1]
    assert [d.sample for _, d in drawn([a, b, a], Decoding())] == [0, 0, 0]


@given(st.text(), st.lists(st.text(max_size=3), max_size=3))
def test_no_stop_string_is_left(text: str, stop: list[str]) -> None:
    found = before_stop(text, stop)
    assert text.startswith(found)
    assert not any(word and word in found for word in stop)


@given(st.text())
def test_tokens_are_never_fewer_than_a_third_of_the_bytes(text: str) -> None:
    assert 3 * (tokens_of((Message("user", text),)) - 8) >= len(text.encode("utf-8", "surrogatepass"))

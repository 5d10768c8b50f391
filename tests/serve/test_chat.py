"""Where the insights go in a request."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.methods.panda.prompts import insight_block
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Chosen, Retrieved
from kshot.serve.chat import LONGEST_QUERY, NoChatError, adapted
from kshot.serve.options import ProxyOptions

FOUND = Retrieved((Chosen(Insight(0, "a key", "a lesson"), 0.5), Chosen(Insight(1, "other", "more"), 0.4)))
BLOCK = insight_block([chosen.insight for chosen in FOUND.chosen])


class Pool:
    """Gives the same insights for every text, and remembers what it was asked."""

    def __init__(self, found: Retrieved = FOUND) -> None:
        self.found, self.asked = found, list[str]()

    def __call__(self, text: str) -> Retrieved:
        self.asked.append(text)
        return self.found


def sent(messages: list[Any], pool: Pool | None = None, **options: Any) -> Any:
    raw = json.dumps({"model": "m", "messages": messages}).encode()
    return json.loads(adapted(raw, pool or Pool(), ProxyOptions(**options)).body)["messages"]


USER = {"role": "user", "content": "which one?"}
SYSTEM = {"role": "system", "content": "Be brief."}


def test_before_the_last_user_message() -> None:
    messages = [SYSTEM, {"role": "user", "content": "old"}, {"role": "assistant", "content": "no"}, USER]
    pool = Pool()
    found = sent(messages, pool)
    assert pool.asked == ["which one?"]
    assert found == [*messages[:3], {"role": "user", "content": f"{BLOCK}\n\nwhich one?"}]


def test_a_tool_call_after_the_user_changes_nothing_about_it() -> None:
    messages = [USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                {"role": "tool", "content": "42", "tool_call_id": "1"}]  # fmt: skip
    assert sent(messages) == [{"role": "user", "content": f"{BLOCK}\n\nwhich one?"}, *messages[1:]]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_at_the_end_of_the_system_message(role: str) -> None:
    messages = [{"role": role, "content": "Be brief."}, USER, {"role": "system", "content": "Again."}]
    found = sent(messages, place="system")
    assert found == [{"role": role, "content": f"Be brief.\n\n{BLOCK}"}, *messages[1:]]


def test_a_new_system_message_where_there_is_none() -> None:
    assert sent([USER], place="system") == [{"role": "system", "content": BLOCK}, USER]


def test_content_lists_keep_their_other_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [image, {"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    pool = Pool()
    found = sent([{"role": "user", "content": parts}], pool)
    assert pool.asked == ["one\ntwo"]
    assert found[0]["content"] == [image, {"type": "text", "text": f"{BLOCK}\n\none"}, parts[2]]
    system = {"role": "system", "content": [{"type": "text", "text": "x"}]}
    found = sent([system, USER], place="system")
    assert found[0]["content"] == [{"type": "text", "text": "x"}, {"type": "text", "text": BLOCK}]
    assert sent([{"role": "system", "content": []}, USER], place="system")[0]["content"] == [
        {"type": "text", "text": BLOCK}
    ]


def test_all_user_messages_may_be_looked_up() -> None:
    pool = Pool()
    found = sent([{"role": "user", "content": "first"}, SYSTEM, USER], pool, query_from="all-user")
    assert pool.asked == ["first\nwhich one?"]
    assert found[0]["content"] == "first"
    assert found[2]["content"].startswith(BLOCK)


@pytest.mark.parametrize(
    "messages",
    [
        [SYSTEM],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": "  \n"}],
        [{"role": "user", "content": None}],
        [{"role": "user"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}],
    ],
)
def test_a_request_without_a_text_is_not_changed(messages: list[Any]) -> None:
    raw = json.dumps({"messages": messages}, indent=3).encode()
    pool = Pool()
    assert (adapted(raw, pool, ProxyOptions()).body, pool.asked) == (raw, [])


@pytest.mark.parametrize("found", [Retrieved(), Retrieved((Chosen(Insight(0, "k", ""), 1.0),))])
def test_a_pool_that_has_nothing_leaves_every_byte(found: Retrieved) -> None:
    raw = b'{"messages" :[ {"content":"caf\xc3\xa9 \\u00e9","role": "user"}],\n"x": 1.500 , "y": 1e3}  '
    result = adapted(raw, Pool(found), ProxyOptions())
    assert (result.body, result.shown) == (raw, 0)


def test_all_around_the_edited_text_stays_byte_for_byte() -> None:
    raw = '{"y": 1.500,"messages":[{"name":"é\\u00e9" , "role":"user","content":"which?"} ],"x":{"a":[1E3]}}'
    result = adapted(raw.encode(), Pool(), ProxyOptions())
    assert result.shown == 2
    assert result.body.decode() == raw.replace('"which?"', json.dumps(f"{BLOCK}\n\nwhich?"))


@given(
    st.text(min_size=1).filter(lambda text: text.strip()), st.sampled_from(["user", "system"]), st.booleans()
)
def test_any_text_arrives_whole(text: str, place: Any, escaped: bool) -> None:
    body = {"messages": [{"role": "user", "content": text}]}
    raw = json.dumps(body, ensure_ascii=escaped).encode()
    found = json.loads(adapted(raw, Pool(), ProxyOptions(place=place)).body)["messages"]
    assert found[-1]["content"] == (text if place == "system" else f"{BLOCK}\n\n{text}")


def test_half_a_character_is_looked_up_as_a_question_mark_and_forwarded_as_it_is() -> None:
    pool = Pool()
    found = sent([{"role": "user", "content": "odd \ud83d end"}], pool)
    assert pool.asked == ["odd \ufffd end"]
    assert found[0]["content"].endswith("odd \ud83d end")


def test_of_a_very_long_text_the_end_is_looked_up() -> None:
    pool = Pool()
    sent([{"role": "user", "content": "x" * 100_000 + " the question"}], pool)
    assert len(pool.asked[0]) == LONGEST_QUERY
    assert pool.asked[0].endswith("the question")


def test_what_is_shown_is_counted() -> None:
    mixed = Retrieved((*FOUND.chosen, Chosen(Insight(2, "learned without a call", ""), 0.3)))
    raw = json.dumps({"messages": [USER]}).encode()
    assert adapted(raw, Pool(mixed), ProxyOptions(render="insight")).shown == 2


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no chat request"),
        (b"\xff\xfe", "no UTF-8"),
        (b"[1]", "found a list"),
        (b"3", "found a number"),
        (b"null", "found null"),
        (b"{}", "'messages' is missing"),
        (b'{"messages": []}', "'messages' is missing"),
        (b'{"messages": {"role": "user"}}', "'messages' is missing"),
        (b'{"messages": ["hi"]}', "message 0 is no object"),
        (b'{"messages": [{"content": "hi"}]}', "message 0 is no object"),
        (b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}', "'content' stands twice"),
        (b'{"messages": [], "messages": [{"role": "user", "content": "b"}]}', "'messages' stands twice"),
        (b'{"messages": [{"role": "user", "content": "a"}], "seed": NaN}', "NaN is no JSON"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_chat_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(NoChatError, match=said):
        adapted(raw, Pool(), ProxyOptions())

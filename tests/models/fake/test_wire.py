"""HTTP by hand."""

import pytest

from kshot.models.fake.wire import WireError, chunk, response_bytes, take_request

POST = b"POST /v1/x?a=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"


def test_a_request_in_pieces_is_taken_when_it_is_whole() -> None:
    buffer = bytearray()
    for at in range(len(POST)):
        assert take_request(buffer) is None
        buffer += POST[at : at + 1]
    request = take_request(buffer)
    assert request is not None
    assert (request.method, request.path, request.body) == ("POST", "/v1/x", b"abc")
    assert request.headers == {"host": "h", "content-length": "3"}
    assert not buffer


def test_two_requests_in_one_packet_are_two() -> None:
    buffer = bytearray(POST + b"GET /b HTTP/1.1\r\n\r\n")
    assert [take_request(buffer).path, take_request(buffer).path, take_request(buffer)] == [
        "/v1/x",
        "/b",
        None,
    ]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"x" * 70_000, 431),
    ],
)
def test_what_is_no_request_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(WireError) as caught:
        take_request(bytearray(head))
    assert caught.value.status == status


def test_responses_say_their_length_unless_they_are_to_lie() -> None:
    assert b"content-length: 2\r\n" in response_bytes(200, b"{}")
    assert b"content-length: 9\r\n" in response_bytes(200, b"{}", promised=9)
    assert chunk(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"
    assert chunk(b"") == b"0\r\n\r\n"

"""What a connection writes once its client is gone."""

import asyncio

from kshot.models.fake.connection import Connection
from kshot.models.fake.plans import Plan


class Broken(asyncio.Transport):
    """A transport whose client is gone: the first write finds out."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return bool(self.written)


def gone(between: float) -> tuple[list[bytes], list[bool]]:
    """What is written to it, and how the exchange ended."""

    async def asked() -> tuple[list[bytes], list[bool]]:
        ends: list[bool] = []

        class Exchange:
            plan = Plan("ok", 200, tuple(b"part %d" % part for part in range(9)), between=between)

            def end(self, *, hung_up: bool) -> None:
                ends.append(hung_up)

        connection = Connection(lambda request: Exchange(), set(), asyncio.get_running_loop())
        transport = Broken()
        connection.connection_made(transport)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(20 * between)
        connection.connection_lost(None)
        return transport.written, ends

    return asyncio.run(asked())


def test_nothing_is_written_to_a_client_that_is_gone() -> None:
    for between in (0, 0.005):
        written, ends = gone(between)
        assert written == [b"part 0"]
        assert ends == [True]

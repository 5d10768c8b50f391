"""Over real HTTP, in process and as a process of its own: the same requests, the same replies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kshot.data.example import Message
from kshot.models.asking import Decoding, Question, replies
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeServer
from kshot.models.fake.ontology import Ontology, OntologyModel, OntologySpeaker, RecallModel, stated_speaker


def questions() -> list[Question]:
    found = []
    for number in range(12):
        text = "## Task\nName: all\n\n## Path\n- all\n\n## Wanted\nWanted: 10 rows"
        most = 60 if number % 3 == 0 else 2048  # some are cut
        found.append(Question((Message("user", text),), Decoding(most, 1.0, seed=number, sample=number % 2)))
    return found


def speaker() -> OntologySpeaker:
    return OntologySpeaker(Ontology.made((3, 4), seed=3), RecallModel(1.5), seed=3)


def test_http_and_in_process_replies_are_equal() -> None:
    at_once = replies(OntologyModel(speaker()), questions())
    with FakeServer(speaker()) as server, Endpoint(server.base_url, "fake", concurrency=8) as endpoint:
        over_http = replies(endpoint, questions())
    fields = ("text", "prompt_tokens", "completion_tokens", "finish_reason", "calls")
    for one, other in zip(at_once, over_http, strict=True):
        assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
    assert {reply.finish_reason for reply in at_once} == {"stop", "length"}


def test_the_command_serves_an_ontology(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kshot.models.fake", "--ontology", "3x4:s=1.5,seed=3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        try:
            with Endpoint(process.stdout.readline().strip(), "fake", concurrency=4) as endpoint:
                found = replies(endpoint, questions())
        finally:
            process.terminate()
    assert [r.text for r in found] == [
        r.text for r in replies(OntologyModel(stated_speaker("3x4:s=1.5,seed=3")), questions())
    ]

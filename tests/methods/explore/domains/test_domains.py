"""Where exploring starts."""

import json
import re
from pathlib import Path

import pytest

from kshot.data.example import Example
from kshot.errors import DataError, InputError
from kshot.methods.explore.domains import READY, domain_of, ready
from kshot.methods.explore.tree import DomainTree

SHARED = Path(__file__).parents[4].parent / "shared" / "data"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", READY)
def test_ready_domains_are_whole(name: str, language: str, tmp_path: Path) -> None:
    tree = ready(name, language=language)
    root = tree.root
    assert len(tree) == 1
    assert root.origin == "root"
    assert len(root.reason) > 40
    assert len(root.examples) == 3
    assert all(item.instruction and item.output for item in root.examples)
    assert any(item.input for item in root.examples)
    is_chinese = bool(re.search("[一-鿿]", root.name + root.reason))
    assert is_chinese == (language == "zh")
    tree.save(tmp_path / "tree.json")
    assert list(DomainTree.load(tmp_path / "tree.json")) == list(tree)


def test_no_sentence_is_the_release_s() -> None:
    if not (SHARED / "explore_demo").is_dir():
        pytest.skip("the development data is absent")
    theirs = set()
    for file in (SHARED / "explore_demo").glob("*.json"):
        for example in json.loads(file.read_bytes()).get("examples", []):
            theirs.update(text.strip() for text in example.values())
    ours = [item for name in READY for item in ready(name).root.examples]
    assert not [
        text
        for item in ours
        for text in (item.instruction, item.input, item.output)
        if text and text in theirs
    ]


def test_what_is_not_ready() -> None:
    with pytest.raises(InputError, match=r"no ready domain 'rewritting'; .*; did you mean 'rewriting'"):
        ready("rewritting")
    with pytest.raises(InputError, match="no ready domain in 'fr'; languages: en, zh"):
        ready("rewriting", language="fr")


def test_a_domain_of_shots() -> None:
    shots = [Example(f"Sort.\n{n}", str(n)) for n in range(20)]
    root = domain_of(shots, name="sorting", description="Put in order.").root
    assert (root.name, root.reason, root.origin) == ("sorting", "Put in order.", "shots")
    assert [item.output for item in root.examples] == ["0", "2", "5", "7", "10", "12", "15", "17"]
    assert root.examples[1].instruction == "Sort."
    assert domain_of(shots[:3], name="x").root.examples[2].input == "2"
    assert domain_of(shots, name="x", instruction="Do.", most=1).root.examples[0].input == "Sort.\n0"


def test_a_domain_in_words_alone() -> None:
    root = domain_of([], name="cooking").root
    assert (root.origin, root.examples) == ("root", ())
    with pytest.raises(DataError, match="the domain's name is empty"):
        domain_of([], name=" ")
    with pytest.raises(InputError, match="at most 0 shots"):
        domain_of([], name="x", most=0)

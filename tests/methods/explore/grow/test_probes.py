"""Blind probes: what is shown, what is counted, and the estimate."""

from __future__ import annotations

from kshot.methods.explore.grow import GrowOptions, grow, probes
from kshot.models.fake import ScriptedModel


def test_a_probe_sees_no_children_and_its_new_names_stay(planted, prompts, said, speaker):
    reader = speaker({})
    replies = iter(
        [["a1", "b2", "c3", "d4"], ["a1", "rewriting"], ["a1"], ["b2", "c3", "e5", "d4", "d4", "a 1 b"]]
    )

    def script(turns):
        reader.script(turns)
        return said(next(replies))

    found = planted()
    list(grow(found, ScriptedModel(script), prompts=prompts, options=GrowOptions(depth=1, probe=True)))
    assert reader.texts[-1]["Existing subtasks"] == "(not shown)"
    assert reader.texts[-1]["Refused names"] == "(none)"
    assert [node.name for node in found.tree][-2:] == ["e5", "a 1 b"]
    (result,) = probes(found)
    assert (result.known, result.probed, result.common) == (4, 5, 3)
    assert result.estimate == 5 * 6 / 4 - 1
    assert result.is_telling
    assert found.tree.root.closed == "few new names in two calls running; probed"
    again = grow(found, ScriptedModel([]), prompts=prompts, options=GrowOptions(depth=1, probe=True))
    assert list(again) == []


def test_at_a_fixed_breadth_new_names_are_counted_but_do_not_stay(planted, prompts, said):
    replies = iter([["a1", "b2"], ["b2", "c3", "d4"]])
    found = planted()
    options = GrowOptions(depth=1, breadth=(2,), probe=True)
    list(grow(found, ScriptedModel(lambda turns: said(next(replies))), prompts=prompts, options=options))
    assert len(found.tree) == 3
    (result,) = probes(found)
    assert (result.known, result.probed, result.common) == (2, 3, 1)
    assert not result.is_telling


def test_a_probe_without_a_reply_is_made_once(planted, prompts, said):
    replies = iter([said(["a1", "b2"]), "?", "?"])
    found = planted()
    model = ScriptedModel(lambda turns: next(replies))
    options = GrowOptions(depth=1, breadth=(2,), probe=True)
    list(grow(found, model, prompts=prompts, options=options))
    assert len(model.conversations) == 3
    assert [(one.known, one.probed) for one in probes(found)] == [(2, 0)]

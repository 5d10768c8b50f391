"""The requests in English."""

from __future__ import annotations

from kshot.methods.explore.prompts.wording import Form, Headings, Wording

_EXTEND = (
    "We are mapping a domain as a tree of tasks that a language model can do on text. "
    "Break the task below down into subtasks"
)
_ROW_SHAPE = '{"instruction": "...", "input": "...", "output": "..."}'
_JSON = (
    "Reply with one JSON object and nothing else, of this shape:\n"
    "{shape}\n"
    'An empty input is "". Inside a text write a backslash twice and a line break as \\n.\n'
)
_BLOCKS = (
    "Reply with blocks of this form and nothing else. Each marker is a line of its own:\n"
    "{shape}\n"
    "=== end ===\n"
    "What stands between two markers is the text, on as many lines as it needs. An empty input is (none). "
    "If a line of a text itself begins with ===, write a backslash before it. "
    "Write === end === once, behind the last block.\n"
)
_ROW_BLOCK = "=== row ===\n=== instruction ===\n...\n=== input ===\n...\n=== output ===\n..."
_NAME_BLOCK = (
    "=== subtask ===\n=== name ===\n...\n=== reason ===\n...\n"
    + _ROW_BLOCK.replace("=== row ===", "=== example ===")
)  # fmt: skip
_NAME_JSON = (
    f'{{"subtasks": [{{"name": "...", "reason": "...", "examples": [{_ROW_SHAPE}]}}], "complete": false}}'
)
_NAMES = (
    "Each subtask has a name of one to six words, its reason (one sentence: what it is, and why it belongs "
    "to the task) and two short examples of it. "
)
_ROWS_REPLY: dict[Form, str] = {
    "json": (_JSON.replace("{shape}", f'{{"rows": [{_ROW_SHAPE}]}}') + "Each entry of rows is one example."),
    "blocks": _BLOCKS.replace("{shape}", _ROW_BLOCK) + "Each row is one example.",
}

ENGLISH = Wording(
    language="en",
    headings=Headings(
        purpose="Purpose",
        rules="Rules",
        task="Task",
        path="Path",
        examples="Examples",
        existing="Existing subtasks",
        siblings="Sibling tasks",
        others="Other tasks",
        refused="Refused names",
        wanted="Wanted",
        reply="Reply",
        subtasks="Subtasks",
        there="Already there",
        proposed="Proposed subtasks",
        instruction="Instruction",
        input="Input",
    ),
    none="(none)",
    not_shown="(not shown)",
    name="Name: {}",
    reason="Reason: {}",
    verbs="Verbs: {}",
    verb="{} ({})",
    comma=", ",
    wanted_names="Wanted: {} new subtasks",
    wanted_rows="Wanted: {} rows",
    extend={
        "look_ahead": f"{_EXTEND} that are not there yet.",
        "from_shots": (
            f"{_EXTEND} that are not there yet. The examples are what somebody needs: first name the "
            "subtasks that they belong to, then the others."
        ),
        "back_track": (
            f"{_EXTEND} that are not there yet. It has {{}} already, and work on them has shown that there "
            "may be more beside them: look for what is missing."
        ),
        "probe": f"{_EXTEND}. Those that are already there are left out of this request on purpose.",
    },
    extend_rules=(
        "The skills that a subtask needs are part of the skills that the task needs.",
        "Prefer what people commonly need to what is rare or special.",
        "Name only what is necessary: a subtask without which the task would not be covered.",
        "A subtask overlaps with no other subtask, sibling task or other task that is listed, and repeats "
        "no refused name in other words.",
        "A model that reads and writes text alone can do it: no images, sound, files, web or tools.",
        "Names, reasons and examples are in English.",
        "The instructions of the examples begin with varied verbs.",
    ),
    fill=(
        "We are collecting examples of the task below, to train a language model on it. Write new examples: "
        "an instruction, its input where it needs one, and the output that a careful expert would give."
    ),
    fill_rules=(
        "An instruction is one or two sentences, and says clearly what is wanted.",
        "An instruction belongs to this task, rather than to a sibling task. Where subtasks are listed, the "
        "examples together touch on all of them.",
        "Begin with varied verbs. Prefer verbs that are rare among those already there.",
        "Subjects, lengths, levels of difficulty and forms of words vary. Nothing repeats or rewords an "
        "instruction that is already there, or an example.",
        "An input is realistic and complete, of 200 words at most. Many instructions need none: leave it "
        "empty then. Never write a placeholder such as <text> or (your text here).",
        "An output does all that the instruction asks, correctly, in 200 words at most. It does not repeat "
        "the instruction.",
        "A model that reads and writes text alone can do it: no images, sound, files, web or tools.",
        "Instructions are in English.",
    ),
    answer=(
        "Do what the instruction asks, as a careful expert would. It belongs to the task below. Use 200 "
        "words at most unless the instruction asks for more."
    ),
    relevance=(
        "We are mapping a domain as a tree of tasks that a language model can do on text. Judge each "
        "proposed subtask by its name and its reason: is it truly a part of the task below, and can a model "
        "that reads and writes text alone do it?"
    ),
    names_reply={
        "json": _JSON.replace("{shape}", _NAME_JSON)
        + _NAMES
        + "complete is true only if the subtasks in your reply, with those already there, are all that the "
        "task has; give fewer than are wanted then.",
        "blocks": _BLOCKS.replace("{shape}", _NAME_BLOCK)
        + _NAMES
        + "Only if the subtasks in your reply, with those already there, are all that the task has, give "
        "fewer than are wanted and write the line === complete === before === end ===.",
    },
    rows_reply=_ROWS_REPLY,
    verdicts_reply={
        "json": (
            "Reply with one JSON object and nothing else, of this shape:\n"
            '{"relevant": [true, false]}\n'
            "There is one verdict for each proposed subtask, in their order."
        ),
        "blocks": ("Reply with one line for each proposed subtask, its number and yes or no:\n1. yes\n2. no"),
    },
    answer_reply="Reply with the output alone: no heading, no introduction, no remark.",
    wrong={
        "names": "No complete subtask with a name can be read in the reply.",
        "rows": "No complete row with an instruction can be read in the reply.",
        "verdicts": "The reply has {found} readable verdicts; {wanted} were expected.",
        "answer": "The reply is empty.",
        "no_end": "The reply does not end with the line === end ===, so its last block may be incomplete.",
    },
    again={
        "json": "Reply again with the JSON object alone, of the shape that was asked for.",
        "blocks": "Reply again with the blocks or lines alone, in the form that was asked for.",
    },
)

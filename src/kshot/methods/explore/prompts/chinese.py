"""The requests in Chinese."""

from __future__ import annotations

from kshot.methods.explore.prompts.wording import Form, Headings, Wording

_EXTEND = (
    "我们正在把一个领域整理成一棵任务树，树上的每个任务都是语言模型只靠文字就能完成的。请把下面的任务细分为"
)
_ROW_SHAPE = '{"instruction": "...", "input": "...", "output": "..."}'
_JSON = (
    "只回复一个 JSON 对象，不要写其他内容，格式如下：\n"
    "{shape}\n"
    '没有输入时，input 写成 ""。文本里的反斜杠要写两个，换行写成 \\n。\n'
)
_BLOCKS = (
    "只按下面的格式分块回复，不要写其他内容。每个标记独占一行：\n"
    "{shape}\n"
    "=== end ===\n"
    "两个标记之间就是正文，可以有任意多行。没有输入时写（无）。"
    "如果正文中某一行以 === 开头，请在这一行最前面加一个反斜杠。"
    "最后一块之后写一次 === end ===。\n"
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
    "每个子任务包括：名称（name，不超过十二个字）、理由（reason，用一句话说明它是什么、为什么属于这个任务）"
    "和两个简短的示例（examples）。"
)
_ROWS_REPLY: dict[Form, str] = {
    "json": _JSON.replace("{shape}", f'{{"rows": [{_ROW_SHAPE}]}}') + "rows 中的每一项是一条样例。",
    "blocks": _BLOCKS.replace("{shape}", _ROW_BLOCK) + "每个 row 是一条样例。",
}

CHINESE = Wording(
    language="zh",
    headings=Headings(
        purpose="目的",
        rules="要求",
        task="任务",
        path="路径",
        examples="示例",
        existing="已有的子任务",
        siblings="同级任务",
        others="其他任务",
        refused="未采用的名称",
        wanted="数量",
        reply="回复格式",
        subtasks="子任务",
        there="已有的样例",
        proposed="提议的子任务",
        instruction="指令",
        input="输入",
    ),
    none="（无）",
    not_shown="（不显示）",
    name="名称：{}",
    reason="理由：{}",
    verbs="动词：{}",
    verb="{}（{}）",
    comma="、",
    wanted_names="数量：{} 个新的子任务",
    wanted_rows="数量：{} 条",
    extend={
        "look_ahead": f"{_EXTEND}目前还没有的子任务。",
        "from_shots": (
            f"{_EXTEND}目前还没有的子任务。下面的样例是实际需要的内容：请先写出这些样例所属的子任务，再写其他子任务。"
        ),
        "back_track": (
            f"{_EXTEND}目前还没有的子任务。它已经有 {{}} 个子任务，但从整理的情况看，"
            "可能还有遗漏，请找出缺少的部分。"
        ),
        "probe": f"{_EXTEND}子任务。已有的子任务这一次有意不列出来。",
    },
    extend_rules=(
        "子任务需要的能力，是完成这个任务所需能力的一部分。",
        "优先考虑人们常用的，而不是罕见或过于专门的。",
        "只列必要的子任务：缺了它，这个任务就覆盖不全。",
        "与已列出的子任务、同级任务和其他任务都不重叠，也不要换个说法重复未采用的名称。",
        "只靠读写文字的模型就能完成：不需要图片、声音、文件、网络或工具。",
        "名称、理由和示例都用中文书写。",
        "各个示例的指令所用的动词要有变化。",
    ),
    fill=(
        "我们正在为下面的任务收集样例，用来训练语言模型。请编写新的样例：一条指令，"
        "需要时附上输入，以及一位认真的专家会给出的输出。"
    ),
    fill_rules=(
        "指令用一两句话，把要求说清楚。",
        "指令要属于这个任务，而不是属于同级任务。如果列出了子任务，这些样例合起来要兼顾到各个子任务。",
        "动词要有变化，优先使用已有样例中少见的动词。",
        "题材、长短、难度和句式都要有变化，不要重复或改写已有的指令和示例。",
        "输入要真实、完整，不超过 300 字。很多指令不需要输入，这时留空。"
        "不要写“<文本>”“（此处填写内容）”之类的占位内容。",
        "输出要正确地完成指令的全部要求，不超过 300 字，不要重复指令。",
        "只靠读写文字的模型就能完成：不需要图片、声音、文件、网络或工具。",
        "指令用中文书写。",
    ),
    answer=("请像一位认真的专家那样，完成下面的指令。它属于下面的任务。除非指令另有要求，不超过 300 字。"),
    relevance=(
        "我们正在把一个领域整理成一棵任务树，树上的每个任务都是语言模型只靠文字就能完成的。"
        "请根据名称和理由判断每个提议的子任务：它是否确实属于下面的任务，只靠读写文字的模型能否完成？"
    ),
    names_reply={
        "json": _JSON.replace("{shape}", _NAME_JSON)
        + _NAMES
        + "只有当你回复的子任务加上已有的子任务已经覆盖了这个任务的全部时，complete 才写 true，"
        "这时可以少于要求的数量。",
        "blocks": _BLOCKS.replace("{shape}", _NAME_BLOCK)
        + _NAMES
        + "只有当你回复的子任务加上已有的子任务已经覆盖了这个任务的全部时，可以少于要求的数量，"
        "并在 === end === 之前写一行 === complete ===。",
    },
    rows_reply=_ROWS_REPLY,
    verdicts_reply={
        "json": (
            "只回复一个 JSON 对象，不要写其他内容，格式如下：\n"
            '{"relevant": [true, false]}\n'
            "按顺序对每个提议的子任务给出一个判断。"
        ),
        "blocks": "每个提议的子任务回复一行，写编号和“是”或“否”：\n1. 是\n2. 否",
    },
    answer_reply="只回复输出本身，不要标题、开场白或说明。",
    wrong={
        "names": "回复中没有读到完整的、带名称的子任务。",
        "rows": "回复中没有读到完整的、带指令的样例。",
        "verdicts": "回复中读到 {found} 个判断，应为 {wanted} 个。",
        "answer": "回复是空的。",
        "no_end": "回复没有以 === end === 这一行结束，最后一块可能不完整。",
    },
    again={
        "json": "请重新回复，只写要求格式的 JSON 对象。",
        "blocks": "请重新回复，只写要求格式的内容。",
    },
)

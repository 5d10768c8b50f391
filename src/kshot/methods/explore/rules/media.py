"""Whether an instruction needs more than text: pictures, files, sound, the web, a drawing.

Whole phrases decide, never a word alone: "names for a music festival" and "draw a conclusion" are texts.
What an instruction quotes does not count. English phrases are looked for in every text, as Chinese ones mix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kshot.methods.explore.rules.language import unquoted


def _any_of(words: str) -> str:
    """A group of the words, which blanks separate; ``_`` is a blank inside one."""
    return "(?:" + "|".join(word.replace("_", r"\s+") for word in words.split()) + ")"


_SEEN = (
    _any_of(
        "image picture photo photograph painting screenshot video video_clip clip audio audio_clip recording "
        "voice_memo"
    )
    + "s?"
)
_ABOUT_IT = _any_of(
    "scripts? descriptions? captions? titles? prompts? ideas? names? transcripts? transcriptions? books? "
    "games? essays? reviews? slogans? outlines? plans? summar(?:y|ies) editing editor concepts? industry "
    "store shop competition contest platform conference alt"
)
_IN_A_TEXT = r"of\b[^.?!]*\b" + _any_of("poem novel story play hero book")
# "the following video script", "this image of the hero in the poem"
_NO_TEXT = rf"\b(?!(?:\W+|\W+\w+\W+){_ABOUT_IT}\b)(?!\s+{_IN_A_TEXT}\b)"
_SOME = r"(?:[\w-]+\s+){0,2}?"
_START = (
    r"(?:\A|[.!?;]\s+)\W*(?:"
    + _any_of("please now then first and can_you could_you i_want_you_to")
    + r"[\s,]+)*"
)
_DETERMINERS = _any_of(
    "an? the some any your own two three several valid clear logical final brief detailed and"
)
_DRAWN_IN_WORDS = _any_of(
    "conclusions? comparisons? distinctions? parallels? inferences? analog(?:y|ies) lines? lessons? "
    "connections? links? attention contrasts? insights? inspiration readers? audience similarit(?:y|ies) "
    "implications? on upon from out up in morals? "
    "ideas? correlations? relationships? people crowds? customers? strength"
)
_IN_WORDS = r"(?!\s+(?:in|with|using)\s+(?:words|text))"
_MADE = _any_of(
    f"{_SEEN} drawing illustration animation logo infographic slideshow powerpoint collage sculpture gif "
    "poster banner 3d_model"
)
_FILE = _any_of(
    "files? documents? pdfs? spreadsheets? sheets? slides attachments? reports? articles? e-?mails? csv"
)
_OPENED = _any_of("files? pdfs? documents? spreadsheets? folders? attachments? csv apps? page")
_SITE = _any_of("web\\s?sites? web\\s?pages? links? urls? https?: www\\. online_store")

ENGLISH = (
    # something to look at or to listen to
    r"\b" + _any_of("this these attached enclosed uploaded following provided given accompanying")
    + rf"\s+{_SEEN}{_NO_TEXT}",
    rf"\b{_SEEN}\s+"
    + _any_of("above below shown provided attached uploaded i_sent i_uploaded i_attached") + r"\b",
    rf"\b(?:shown|depicted|seen|visible|heard)\s+in\s+the\s+{_SEEN}\b",
    r"\b(?:graph|chart|diagram|figure|map)\s+(?:above|below|shown|attached|provided)\b",
    rf"{_START}" + _any_of("look_at watch listen_to view transcribe caption crop scan")
    + rf"\s+(?:the|this|an?|your|these)\s+{_SOME}"
    + _any_of(f"{_SEEN} song movie film podcast speech livestream") + _NO_TEXT,
    # something to be drawn, filmed, recorded or played
    rf"{_START}(?:draw|sketch|doodle)\s+(?!(?:{_DETERMINERS}|[\s,])*{_DRAWN_IN_WORDS}\b)(?:me\s+|us\s+)?"
    r"(?:an?|the|your|my|some|two|three)\s+(?!(?:[\w-]+\s+)?(?:plan|outline|proposal)\b)\w",
    rf"\b(?:draw|sketch|paint|make)\s+(?:an?|the)\s+{_SOME}"
    + _any_of("drawing sketch portrait cartoon doodle diagram flowchart comic_strip watercolou?r")
    + rf"\b{_IN_WORDS}",
    rf"{_START}" + _any_of("create generate make design produce render edit take shoot upload")
    + r"\s+(?:me\s+|us\s+)?(?:an?|the|some|your)\s+(?!"
    + _any_of("mental positive public brand clear vivid strong self") + rf"\b){_SOME}{_MADE}{_NO_TEXT}"
    + rf"{_IN_WORDS}(?!-)",
    rf"{_START}(?:record|film|videotape)\s+(?:an?|the|your|yourself)\b(?!\s+(?:of|for)\b)",
    rf"{_START}(?:sing|hum|whistle|play)\s+(?:me\s+|us\s+)?(?:an?|the|this|some)\s+(?:\w+\s+)?"
    + _any_of("song tune melody music piano guitar chord note lullaby video recording audio") + r"\b",
    # files
    rf"\b(?:attached|uploaded|enclosed)\s+(?:[\w-]+\s+)?(?:{_FILE}|datasets?)\b",
    rf"{_START}" + _any_of("open download upload print import unzip attach load save")
    + rf"\s+(?:the|this|that|an?|your|it)\s+(?:[\w.-]+\s+){{0,3}}?{_OPENED}\b(?!\s+with\s+an?\b)",
    # the web
    rf"{_START}" + _any_of("search browse surf google look_up")
    + r"\s+(?:on\s+)?(?:the\s+)?(?:web|internet|online|google)\b",
    rf"{_START}(?:search|look)\s+(?:online|on\s+the\s+(?:web|internet))\b",
    rf"{_START}(?:google\b|(?:using|use)\s+(?:the\s+internet|google|a\s+search\s+engine)\b)",
    rf"{_START}" + _any_of("visit go_to open click click_on follow check_out")
    + rf"\s+(?:the|this|that|any|an?)?\s*(?:[\w-]+\s+)?{_SITE}",
    r"\b(?:at|from|in|on|behind|via)\s+(?:this|the\s+following|the\s+given|the\s+provided)\s+(?:link|url)\b",
    r"\b(?:article|page|site|website|video|post|document|paper)\s+(?:(?:at|on|from|here)\b)?:?\s*https?://",
)  # fmt: skip

_MEDIUM = "(?:图片|图像|照片|相片|图画|截图|视频|音频|录音|影片)"
_NO_TEXT_ZH = "(?!的?" + _any_of(
    "脚本 标题 文案 描述 简介 字幕 剧本 说明 台词 配文 名称 主题 网站 平台 软件 会议 意象 "
    "内容创意 博主 文字稿 "
    "制作 剪辑 处理 识别 编辑 行业 比赛 展"
) + ")"  # fmt: skip
_START_ZH = (
    r"(?:\A|[。！？；!?;\n])[\s\d.、]*(?:"
    + _any_of("现在 首先 然后 请你? 请您 麻烦你? 帮我 帮忙 给我 为我 你能 能否 能不能 可以")
    + r"[，,\s]*)*"
)
_ONE = "(?:一?[张幅个段份款组条部])?"

CHINESE = (
    # something to look at or to listen to
    r"(?:这|那|下面|以下|下列|附件|给定|所给|上面|上述|上传|提供)[的中]?[这那]?一?[张幅段个些条]?的?"
    rf"{_MEDIUM}{_NO_TEXT_ZH}",
    rf"(?:根据|观察|查看|观看|识别|听取?)(?:一?[张幅段个条]|下面的|以下|这[张段]|所给的?)?{_MEDIUM}{_NO_TEXT_ZH}",
    r"看图(?:写|说|作文|回答|编|完成|描述)",
    rf"{_START_ZH}(?:看|观看|听|收听)[一这]?(?:下面的?|以下的?)?一?[段首部个]?(?:录音|音频|视频|歌曲|音乐|电影){_NO_TEXT_ZH}",
    # something to be drawn, filmed, recorded or played
    rf"{_START_ZH}[画绘][出一两三几个张幅只](?!个?句号|[饼蛇龙])",
    rf"{_START_ZH}绘制",
    r"(?:画|绘制)出?一?[张幅个][^，。；]{0,10}?(?:图|画|海报|漫画|图表|插画)(?!的?(?:文字|描述|意境|方法))",
    rf"{_START_ZH}(?:生成|制作|创建|设计|拍摄?|录制|剪辑|合成)出?{_ONE}[^，。；\s]{{0,8}}?"
    rf"(?:{_MEDIUM}|海报|PPT|幻灯片|动画|短片|标志|logo|图标|徽标|插画|漫画|表情包){_NO_TEXT_ZH}",
    rf"{_START_ZH}(?:唱|演唱|哼唱?|演奏|弹奏|弹|播放)[一这出]?[首支段曲]",
    # files
    r"附件[中里的内]|(?:上传|附上)的(?:文件|文档|表格|资料)",
    rf"{_START_ZH}(?:打开|下载|上传|打印|导入|保存)(?:一?个?|这个|该|下面的?|以下的?|附件中?的?)?"
    r"(?:文件|文档|网页|链接|浏览器|表格|附件|网站|软件)",
    # the web
    rf"{_START_ZH}[在到去上从]?(?:网上|互联网上?|网络上?|网|百度|谷歌)上?去?(?:搜索|搜一?搜|搜|查找|查询|检索|查一?查|查|找)",
    rf"{_START_ZH}(?:搜索|查找|浏览|访问|检索)(?:一下)?(?:互联网|网络|网页|网站|网上|链接|以下网|[这该]个?网)",
    rf"{_START_ZH}(?:点击|访问|打开|进入)(?:以下|下面|下列|这个|该|此|上述)?的?(?:链接|网址|网站|网页)",
    r"(?:访问|打开|点击|进入|浏览|阅读|总结|概括)[^，。；]{0,12}https?://",
)


def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_ENGLISH, _CHINESE = _compiled(ENGLISH), _compiled(CHINESE)


def needs_other_media(instruction: str) -> bool:
    """Whether a model that reads and writes text alone cannot do what an instruction says.

    >>> [needs_other_media(text) for text in ("Describe the attached photo.", "Draw a conclusion from it.")]
    [True, False]
    >>> [needs_other_media(text) for text in ("请画一只猫。", "描述诗中月亮的意象。")]
    [True, False]
    """
    said = unquoted(instruction)
    patterns = _ENGLISH if said.isascii() else (*_ENGLISH, *_CHINESE)
    return any(pattern.search(said) for pattern in patterns)

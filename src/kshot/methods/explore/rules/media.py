"""Whether an instruction needs more than text: pictures, files, sound, the web, a drawing.

Whole phrases decide, never a word alone: "names for a music festival" and "draw a conclusion" are texts.
What an instruction quotes does not count.
"""

from __future__ import annotations

import re

from kshot.methods.explore.rules.language import unquoted

_SEEN = r"(?:image|picture|photo|photograph|painting|screenshot|video|video clip|clip|audio|audio clip|recording|voice memo)s?"
# "the following video script" and "this image description" are texts
_TEXT_OF_IT = (
    r"(?!(?:\W+|\W+\w+\W+)(?:scripts?|descriptions?|captions?|titles?|prompts?|ideas?|names?|transcripts?|"
    r"transcriptions?|books?|games?|essays?|reviews?|slogans?|outlines?|plans?|summar(?:y|ies)|editing|editor|"
    r"concepts?|industry|store|shop|competition|contest|platform|conference|caption|alt)\b)(?!\s+of\b[^.?!]*\b(?:poem|novel|story|play|hero|book)\b)"
)
_ADJECTIVES = r"(?:[\w-]+\s+){0,2}?"
_AT_START = r"(?:\A|[.!?;]\s+)\W*(?:(?:please|now|then|first|and|can you|could you|i want you to)[\s,]+)*"
_NOT_DRAWN = (
    r"(?!(?:an?|the|some|any|your|own|two|three|several|reasonable|valid|clear|logical|sharp|moral|final|brief|"
    r"detailed|possible|[\s,]|and)*(?:conclusions?|comparisons?|distinctions?|parallels?|inferences?|analog(?:y|ies)|"
    r"lines?|lessons?|connections?|links?|attention|contrasts?|insights?|inspiration|readers?|audience|"
    r"similarit(?:y|ies)|implications?|on|upon|from|out|up|in|morals?|ideas?|correlations?|relationships?|people|"
    r"crowds?|customers?|strength)\b)"
)
_ENGLISH = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # something to look at or to listen to
        rf"\b(?:this|these|attached|enclosed|uploaded|following|provided|given|accompanying)\s+{_SEEN}\b{_TEXT_OF_IT}",
        rf"\b{_SEEN}\s+(?:above|below|shown|provided|attached|uploaded|i\s+(?:sent|uploaded|attached))\b",
        rf"\b(?:shown|depicted|seen|visible|heard)\s+in\s+the\s+{_SEEN}\b",
        r"\b(?:graph|chart|diagram|figure|map)\s+(?:above|below|shown|attached|provided)\b",
        rf"{_AT_START}(?:look\s+at|watch|listen\s+to|view|transcribe|caption|crop|scan)\s+(?:the|this|an?|your|these)"
        rf"\s+{_ADJECTIVES}(?:{_SEEN}|song|movie|film|podcast|clip|speech|livestream)\b{_TEXT_OF_IT}",
        # something to be drawn, filmed, recorded or played
        rf"{_AT_START}(?:draw|sketch|doodle)\s+{_NOT_DRAWN}(?:me\s+|us\s+)?(?:an?|the|your|my|some|two|three)\s+"
        r"(?!(?:[\w-]+\s+)?(?:plan|outline|proposal|scene\s+in\s+words|in\s+words|portrait\s+in\s+words)\b)\w",
        r"\b(?:draw|sketch|paint|make)\s+(?:an?|the)\s+(?:[\w-]+\s+){0,2}?"
        r"(?:drawing|sketch|portrait|cartoon|doodle|diagram|flowchart|comic\s+strip|watercolou?r|oil\s+painting)\b"
        r"(?!\s+(?:in|with|using)\s+words)",
        rf"{_AT_START}(?:create|generate|make|design|produce|render|edit|take|shoot|upload)\s+(?:me\s+|us\s+)?"
        r"(?:an?|the|some|your)\s+(?!(?:mental|positive|public|brand|clear|vivid|strong|self)\b)"
        rf"{_ADJECTIVES}(?:{_SEEN}|drawing|illustration|animation|logo|infographic|slideshow|powerpoint|collage|"
        rf"sculpture|gif|poster|banner|3d\s+model)\b{_TEXT_OF_IT}"
        r"(?!\s+(?:in|with|using)\s+(?:words|text))(?!-)",
        rf"{_AT_START}(?:record|film|videotape)\s+(?:an?|the|your|yourself|a\s+short)\b(?!\s+(?:of|for)\b)",
        rf"{_AT_START}(?:sing|hum|whistle|play)\s+(?:me\s+|us\s+)?(?:an?|the|this|some)\s+(?:\w+\s+)?"
        r"(?:song|tune|melody|music|piano|guitar|chord|note|lullaby|video|recording|audio)\b",
        # files
        r"\b(?:attached|uploaded|enclosed)\s+(?:[\w-]+\s+)?(?:files?|documents?|pdfs?|spreadsheets?|sheets?|slides|"
        r"attachments?|reports?|articles?|e-?mails?|csv|datasets?)\b",
        rf"{_AT_START}(?:open|download|upload|print|import|unzip|attach|load|save)\s+(?:the|this|that|an?|your|it)\b"
        r"\s*(?:[\w.-]+\s+){0,3}?(?:files?|pdfs?|documents?|spreadsheets?|folders?|attachments?|csv|apps?|page)\b"
        r"(?!\s+with\s+an?\b)",
        # the web
        rf"{_AT_START}(?:search|browse|surf|google|look\s+up)\s+(?:on\s+)?(?:the\s+)?(?:web|internet|online|google)\b",
        rf"{_AT_START}(?:search|look)\s+(?:online|on\s+the\s+(?:web|internet))\b",
        rf"{_AT_START}(?:google|(?:using|use)\s+(?:the\s+internet|google|a\s+search\s+engine)\b)",
        rf"{_AT_START}(?:visit|go\s+to|open|click(?:\s+on)?|follow|check\s+out)\s+(?:the|this|that|any|an?)?\s*"
        r"(?:[\w-]+\s+)?(?:web\s?sites?|web\s?pages?|links?|urls?|https?:|www\.|online\s+store)",
        r"\b(?:at|from|in|on|behind|via)\s+(?:this|the\s+following|the\s+given|the\s+provided)\s+(?:link|url)\b",
        r"\b(?:article|page|site|website|video|post|document|paper)\s+(?:at|on|from|here)?:?\s*https?://",
    )
)
_MEDIUM_ZH = "(?:图片|图像|照片|相片|图画|截图|视频|音频|录音|影片|歌曲音频)"
_TEXT_OF_IT_ZH = (
    "(?!的?(?:脚本|标题|文案|描述|简介|字幕|剧本|说明|台词|配文|名称|主题|网站|平台|软件|会议|意象|内容创意|"
    "博主|文字稿|制作|剪辑|处理|识别|编辑|行业|比赛|展))"
)
_START_ZH = r"(?:\A|[。！？；!?;\n])[\s\d.、]*(?:(?:现在|首先|然后|请你?|请您|麻烦你?|帮我|帮忙|给我|为我|你能|能否|能不能|可以)[，,\s]*)*"
_CHINESE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:这|那|下面|以下|下列|附件|给定|所给|上面|上述|上传|提供)(?:的|中的|这|那)?(?:一)?(?:张|幅|段|个|些|条)?(?:的)?{_MEDIUM_ZH}{_TEXT_OF_IT_ZH}",
        rf"(?:根据|观察|查看|观看|识别|听取?)(?:一?(?:张|幅|段|个|条)|下面的|以下|这张|这段|所给的?)?{_MEDIUM_ZH}{_TEXT_OF_IT_ZH}",
        r"看图(?:写|说|作文|回答|编|完成|描述)",
        rf"{_START_ZH}(?:看|观看|听|收听)(?:一|这|下面的?|以下的?)?(?:一)?(?:段|首|部|个)?(?:录音|音频|视频|歌曲|音乐|电影)",
        rf"{_START_ZH}(?:画|绘)(?:出|一|两|三|几|个|张|幅|只)(?!句号|个句号|饼|蛇|龙)",
        rf"{_START_ZH}绘制",
        rf"(?:画|绘制)(?:出)?(?:一)?(?:张|幅|个)(?:[^，。；]{{0,10}}?)(?:图|画|海报|漫画|图表|插画)(?!的?(?:文字|描述|意境|方法))",
        rf"{_START_ZH}(?:生成|制作|创建|设计|拍摄?|录制|剪辑|合成)(?:出)?(?:一)?(?:张|幅|个|段|份|款|组|条|部)?(?:[^，。；\s]{{0,8}}?)"
        rf"(?:{_MEDIUM_ZH}|海报|PPT|幻灯片|动画|短片|标志|logo|图标|徽标|插画|漫画|表情包){_TEXT_OF_IT_ZH}",
        rf"{_START_ZH}(?:唱|演唱|哼唱?|演奏|弹奏|弹|播放)(?:一|这|出)?(?:首|支|段|曲)",
        r"附件(?:中|里|的|内)|(?:上传|附上)的(?:文件|文档|表格|资料)",
        rf"{_START_ZH}(?:打开|下载|上传|打印|导入|保存)(?:一?个?|这个|该|下面的?|以下的?|附件中?的?)?(?:文件|文档|网页|链接|浏览器|表格|附件|网站|软件)",
        rf"{_START_ZH}(?:在|到|去|上|从)?(?:网上|互联网上?|网络上?|网|百度|谷歌)(?:上)?(?:去)?(?:搜索|搜一?搜|搜|查找|查询|检索|查一?查|查|找)",
        rf"{_START_ZH}(?:搜索|查找|浏览|访问|检索)(?:一下)?(?:互联网|网络|网页|网站|网上|链接|以下网|这个网|该网)",
        rf"{_START_ZH}(?:点击|访问|打开|进入)(?:以下|下面|下列|这个|该|此|上述)?(?:的)?(?:链接|网址|网站|网页)",
        r"(?:访问|打开|点击|进入|浏览|阅读|总结|概括)[^，。；]{0,12}https?://",
    )
)


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

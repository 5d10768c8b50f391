"""Closed word classes and common verbs of English instructions, for the built-in parser; written by hand."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEADS: Final = _words("""please kindly now then first next also just simply always try and so ok okay""")

DETERMINERS: Final = _words(
    """a an the this that these those my your his her its our their some any each every all both no another
    several many few more most less other such what which whose one two three four five six seven eight
    nine ten eleven twelve fifteen twenty hundred dozen first second third last own same"""
)

PRONOUNS: Final = _words(
    """i you he she it we they me him us them who whom whoever myself yourself himself herself itself
    ourselves themselves something anything nothing everything someone anyone everyone somebody anybody
    everybody mine yours hers ours theirs there here"""
)

BARRIERS: Final = _words(
    """of in on at by for with about against between into through during before after above below to from
    up down out off over under as than per via without within among across behind beyond toward towards
    upon onto inside outside near since until till despite unlike like around along beside besides
    except regarding concerning and or but nor yet so if because although though while whereas when
    where why how whether unless once"""
)

ADVERBS: Final = _words(
    """very too quite rather not never always often again away together apart back well also only even
    still instead then now please maybe perhaps just almost at least"""
)

QUALITIES: Final = _words(
    """following given above new old good better best bad short long brief simple easy hard clear creative
    concise formal informal different similar unique important main correct incorrect proper specific
    general common complex detailed descriptive active passive appropriate relevant effective single
    various interesting big small large high low positive negative possible great whole entire little
    real key certain particular original professional alternative additional extra vivid precise
    accurate natural persuasive basic major final full complete early late common-sense sensory visual
    logical emotional"""
)

VERBS: Final = _words(
    """adapt add adjust advise align alter amend amplify analyse analyze annotate answer apply argue
    arrange ask assess assign assume augment author avoid balance base be begin blend brainstorm break
    bring build calculate capitalize capture categorize change check choose cite clarify classify clean
    close collect combine come comment communicate compare compile complete compose compute concatenate
    condense conduct connect consider construct contrast contribute convert convey cook copy correct
    count craft create critique cut debate debug decide declare decode decrease deduce define deliver
    demonstrate depict derive describe design detail detect determine develop devise diagnose
    differentiate discover discuss display distinguish divide do draft draw edit elaborate eliminate
    emphasize employ encode enhance enlarge enrich ensure enumerate establish estimate evaluate examine
    exchange expand explain explore express extend extract factor fill filter find finish fix fold
    follow forecast form format formulate gather generate get give go group guess hand have heighten
    help highlight hypothesize identify illustrate imagine imitate implement improve include incorporate
    increase indicate infer inform inject insert inspect integrate interpret introduce invent
    investigate join judge justify keep know label learn leave let link list locate look make map mark
    match measure mention merge mimic minimize model modify move multiply name narrate need negate note
    number observe offer omit open order organize outline paint paraphrase parse perform persuade pick
    place plan play point polish pose predict prepare present print prioritize produce proofread propose
    prove provide punctuate put quote raise rank rate reach read rearrange reason recall recast recite
    recognize recommend reconstruct record redefine redraft reduce refactor refer refine reflect
    reformat reformulate reframe regenerate reimagine reinforce relate remake remove rename render
    reorder reorganize repeat rephrase replace report represent request research resolve respond restate
    restructure retell return reveal reverse review revise reword rework rewrite round rule say scan
    score search select send separate set shape share shift shorten show simplify simulate sketch solve
    sort speak specify split start state stay strengthen structure study substitute subtract suggest
    summarise summarize supply support swap switch tag tailor take talk teach tell test think trace
    train transcribe transfer transform translate transmit transpose trim troubleshoot turn underline
    understand unify update use utilize validate vary verify visualize weigh work write"""
)

IRREGULAR_VERBS: Final = {
    "is": "be", "are": "be", "was": "be", "were": "be", "been": "be", "has": "have", "had": "have",
    "does": "do", "did": "do", "done": "do", "made": "make", "wrote": "write", "written": "write",
    "found": "find", "gave": "give", "given": "give", "took": "take", "taken": "take", "said": "say",
    "rewrote": "rewrite", "rewritten": "rewrite", "told": "tell", "built": "build", "drew": "draw",
    "chose": "choose", "chosen": "choose", "kept": "keep", "thought": "think", "went": "go",
}  # fmt: skip

IRREGULAR_NOUNS: Final = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "lives": "life", "leaves": "leaf", "halves": "half", "knives": "knife",
    "wives": "wife", "selves": "self", "shelves": "shelf", "analyses": "analysis", "theses": "thesis",
    "hypotheses": "hypothesis", "crises": "crisis", "criteria": "criterion", "phenomena": "phenomenon",
    "movies": "movie", "cookies": "cookie", "ties": "tie", "lies": "lie", "pies": "pie", "quizzes": "quiz",
    "indices": "index", "matrices": "matrix", "vertices": "vertex", "buses": "bus", "viruses": "virus",
    "biases": "bias", "heroes": "hero", "potatoes": "potato", "tomatoes": "tomato", "echoes": "echo",
}  # fmt: skip

UNCHANGED_NOUNS: Final = _words(
    """news series species physics mathematics economics politics ethics statistics genetics lens gas bias
    chaos cosmos always pros perhaps reply family anomaly assembly supply monopoly"""
)

"""Words of the made-up world: common English ones, and stems that exist nowhere else."""

from __future__ import annotations

import random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VERBS = _words(
    """
    adapt analyse arrange assess balance brighten broaden check choose clarify classify collect combine
    compare compose condense contrast convert correct count criticise deepen defend define describe
    design develop discuss edit estimate evaluate examine expand explain extend extract finish forecast
    frame gather group guess identify imagine improve infer introduce invent judge justify list match
    measure merge motivate name narrate organise outline paraphrase plan polish predict prepare present
    propose prove question rank rate rearrange recommend reconcile reduce refine reject remember repair
    replace report rephrase restate review revise rewrite select separate shorten simplify solve sort
    specify split state structure suggest summarise support teach test tidy translate trim turn unify
    update verify weigh write
    """
)
ADJECTIVES = _words(
    """
    able ancient annual basic bitter bold brief bright broad calm careful cheap clean clear clever cold
    common complex curious daily dark deep dense direct dry early easy elegant empty entire exact extra
    fair false famous final firm flat foreign formal fresh friendly full gentle golden grand heavy
    hidden honest hopeful humble idle inner joint keen large late lazy light local lonely long loose
    lucky mild modern narrow neat noisy odd open outer patient plain polite poor practical pretty
    private proud public quick quiet rare raw ready recent regular remote rich rough round rural sad
    secret sharp short shy silent simple single slow small smooth social soft solid sour spare stable
    steep strange strict strong sudden sweet tall tender thick tight tiny tired urban urgent useful
    usual vague vivid warm weak weekly wide wild wise young
    """
)
NOUNS = _words(
    """
    account advice agenda agreement answer argument article award balance basket bench bill border
    bottle branch bridge budget bundle button cabinet calendar camp candle career carpet case castle
    ceremony chair chapter charter clinic clock club coast column committee complaint concert contract
    corner council course court crew crowd custom debate delivery desk dialogue diary dinner district
    duty engine essay evening event excuse factory farm festival fence field forest fortune garden gate
    glossary goal guest guide habit harbour harvest heading holiday hotel island journal journey jury
    kitchen ladder lake law lesson letter library limit list lunch machine manual market meadow meeting
    member memo menu message method mirror mistake model morning motto museum neighbour notebook notice
    number offer office orchard order outline palace paragraph parcel parish partner patent pattern
    pepper permit plan platform poem policy pond price problem promise proposal puzzle quarter quote
    railway reason receipt recipe remedy report reward riddle river road role roof rule saddle sample
    schedule school season seat section series sermon shelf shop signal slogan speech spring square
    station statement story street strike student summary supper survey talk teacher theatre theory
    ticket timetable title tool tower town trade treaty trial trip tunnel uncle union valley verdict
    verse village visit voyage wage wall warning week whistle window winter witness workshop yard
    """
)
PEOPLE = _words(
    """
    actors apprentices artists bakers beginners builders buyers captains carers children citizens clerks
    coaches colleagues cooks critics customers dancers dentists doctors drivers editors engineers
    experts farmers fishers friends gardeners guards guests hikers historians hosts hunters judges
    lawyers leaders learners listeners managers members merchants miners musicians nurses owners
    painters parents patients pilots players poets printers pupils readers reporters rivals sailors
    scholars sellers singers soldiers speakers students tailors tenants tourists travellers tutors
    visitors voters waiters watchers weavers widows winners workers writers
    """
)
_ONSETS = ("b", "br", "d", "dr", "f", "g", "gl", "h", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "v")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou")
_ENDS = ("ck", "ld", "lm", "m", "n", "nd", "r", "rk", "s", "sk", "th", "x")
JUNK_START = "z"  # stems of what is off the ontology; no stem of the ontology begins with it


def stem(draw: random.Random, *, start: str = "") -> str:
    """A pronounceable word that is no English one, as a rule.

    >>> stem(random.Random(0)), stem(random.Random(0), start=JUNK_START)[0]
    ('staiher', 'z')
    """
    pick = draw.random
    parts = [start or _ONSETS[int(pick() * len(_ONSETS))], _VOWELS[int(pick() * len(_VOWELS))]]
    parts += [_ONSETS[int(pick() * len(_ONSETS))], _VOWELS[int(pick() * len(_VOWELS))]]
    parts.append(_ENDS[int(pick() * len(_ENDS))])
    return "".join(parts)


def fresh_stems(draw: random.Random, count: int) -> list[str]:
    """So many stems, each another.

    >>> len(set(fresh_stems(random.Random(0), 1000)))
    1000
    """
    found: dict[str, None] = {}
    while len(found) < count:
        word = stem(draw)
        if len(found) > 60_000:  # three syllables where two are used up
            word += stem(draw)
        found.setdefault(word)
    return list(found)

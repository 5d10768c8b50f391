"""Which rows and names are refused for what they are, each rule with a name and a switch."""

from kshot.methods.explore.rules.language import is_in_language
from kshot.methods.explore.rules.media import needs_other_media
from kshot.methods.explore.rules.names import name_broken
from kshot.methods.explore.rules.rows import ROW_RULES, RuleOptions, broken, row_rules
from kshot.methods.explore.rules.verbs import verb_of, verbs_of

__all__ = [
    "ROW_RULES",
    "RuleOptions",
    "broken",
    "is_in_language",
    "name_broken",
    "needs_other_media",
    "row_rules",
    "verb_of",
    "verbs_of",
]

"""Two systems' answers judged pair by pair, each pair in both orders, and what the counts say."""

from kshot.measure.judge.agreement import Agreement, HumanVerdict, agreement, kappa, read_human
from kshot.measure.judge.answers import Answer, Joined, join_answers, read_answers
from kshot.measure.judge.figures import Figures, beat_rate, figures, net_score
from kshot.measure.judge.judging import judge_pairs
from kshot.measure.judge.records import Judged, JudgedPair, Outcome, Pair, Tally, Verdict, outcome_of
from kshot.measure.judge.wording import CRITERIA, judge_question, read_verdict

__all__ = [
    "CRITERIA",
    "Agreement",
    "Answer",
    "Figures",
    "HumanVerdict",
    "Joined",
    "Judged",
    "JudgedPair",
    "Outcome",
    "Pair",
    "Tally",
    "Verdict",
    "agreement",
    "beat_rate",
    "figures",
    "join_answers",
    "judge_pairs",
    "judge_question",
    "kappa",
    "net_score",
    "outcome_of",
    "read_answers",
    "read_human",
    "read_verdict",
]

"""How answers are judged: metrics, intervals, comparisons, report. Knows nothing of any model."""

from diptych.evaluation.evaluation import Evaluation, MetricValue, evaluate
from diptych.evaluation.results.answers import Answers
from diptych.evaluation.statistics.comparison import Difference, McNemar, mcnemar, paired_difference
from diptych.evaluation.statistics.metrics import hit_rate_at, mrr

__all__ = [
    "Answers",
    "Difference",
    "Evaluation",
    "McNemar",
    "MetricValue",
    "evaluate",
    "hit_rate_at",
    "mcnemar",
    "mrr",
    "paired_difference",
]

"""Strategies beside each other on a table of results: no training, no Ray, and statistics that tell who is better.

from raynas.bench import Benchmark, Budget, TableSource, play_all
"""

from raynas.bench.benchmark import Benchmark, Budget, default_scheduler, sized, trials_for
from raynas.bench.play import Trace, play, play_all
from raynas.bench.source import Coverage, TableSource, check_table

__all__ = [
    "Benchmark",
    "Budget",
    "Coverage",
    "TableSource",
    "Trace",
    "check_table",
    "default_scheduler",
    "play",
    "play_all",
    "sized",
    "trials_for",
]

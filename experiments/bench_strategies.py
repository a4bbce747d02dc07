"""How many proposals a second a strategy makes, and whether that falls as the history grows.

    python experiments/bench_strategies.py                          # a minute
    python experiments/bench_strategies.py --history 10000 --rounds 3

A proposal is one ask and one tell. Every strategy proposes one trial at a time and is told its score, to the end of
the history; the rates are those of windows of it. Beside raynas' strategies: the same evolution without canonical keys
(it cannot see that two networks are one), and Optuna's NSGA-II and (to 300 trials) TPE on the same questions through
its own ask and tell, which need not build a graph. Repeats are proposals of a network that had been proposed before,
as canonical keys tell it, so a training wasted; best is the highest score found.

Last, how many proposals a second all strategies make that have been told the whole history (random architectures and
their scores): what a search of that length comes to.

Spaces: NAS-Bench-201 (15,625 cells, scored by the table's mean validation accuracy after 200 epochs on CIFAR-10, where
../shared/data/nasbench201.parquet is there), the same with a learning rate searched jointly, and the space of DARTS.
Without the table, and for DARTS, the score is a sum of one number per answer.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pyarrow.parquet as pq
from measuring import show, spread

import raynas as rn
from raynas import catalog
from raynas.errors import Exhausted
from raynas.records import FINISHED, Answers, Choose, Options, Proposal, Space, Strategy, Trial
from raynas.spaces.decide import mutate, replay, sample
from raynas.spaces.function import as_space
from raynas.spaces.nasbench201 import to_string

TABLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "nasbench201.parquet"
WINDOW = 100
LATE = ("evolution", "genetic", "nsga2", "local", "reinforce", "controller", "ppo", "ridge", "bananas", "optuna")
Score = Callable[[Answers], float]


def with_rate(choose: Choose) -> rn.Graph:
    """NAS-Bench-201 and a learning rate."""
    choose.real("train/lr", 1e-3, 1.0, log=True)
    return rn.spaces.nasbench201().decide(choose)


def synthetic(answers: Answers) -> float:
    """A sum of one number per answer: easy to climb, and every answer matters."""
    return sum(int.from_bytes(blake2b(f"{a}={v}".encode(), digest_size=2).digest()) for a, v in answers.items()) / 65536


def benchmark() -> Score:
    """The table's accuracy in %, or the synthetic score."""
    if not TABLE.is_file():
        return synthetic
    table = pq.read_table(TABLE, columns=["arch", "cifar10_val200"])
    accuracy = dict(zip(table["arch"].to_pylist(), table["cifar10_val200"].to_pylist(), strict=True))
    return lambda answers: accuracy[to_string(answers)]


def with_penalty(score: Score) -> Score:
    """A learning rate of 0.1 is best; a factor of 10 costs ten points."""

    def scored(answers: Mapping[str, Any]) -> float:
        cell = {address: value for address, value in answers.items() if address != "train/lr"}
        return score(cell) - 10 * abs(math.log10(answers["train/lr"]) + 1)

    return scored


class Naive:
    """Regularized evolution that may propose what it has proposed before: the cost of canonical keys, and their use."""

    def begin(self, space: Space, objectives: object, seed: int) -> Naive:
        self.space, self.rng = space, Random(seed)
        self.population: deque[tuple[float, rn.Architecture]] = deque(maxlen=30)
        return self

    def ask(self) -> Proposal:
        if len(self.population) < 30:
            return Proposal(sample(self.space, self.rng))
        rivals = [self.population[int(self.rng.random() * 30)] for _ in range(10)]
        return Proposal(mutate(self.space, max(rivals, key=lambda rival: rival[0])[1], self.rng))

    def tell(self, trial: Trial) -> None:
        self.population.append((trial.score or 0.0, trial.architecture))


def run_raynas(strategy: Strategy, space: Space, score: Score, history: int) -> Iterator[tuple[float, Answers, float]]:
    """Seconds, answers and score of each proposal, until the history is full or the space is used up."""
    proposer = strategy.begin(space, (rn.Objective("score"),), 0)
    for number in range(1, history + 1):
        began = time.perf_counter()
        try:
            proposal = proposer.ask()
        except Exhausted:
            return
        asked = time.perf_counter() - began
        answers = proposal.architecture.answers
        value = score(answers)
        trial = Trial(number, proposal.architecture, proposal.parent, FINISHED, "", (), (value,))
        began = time.perf_counter()
        proposer.tell(trial)
        yield asked + time.perf_counter() - began, answers, value


def run_optuna(sampler: Any, space: Space, score: Score, history: int) -> Iterator[tuple[float, Answers, float]]:
    """The same through Optuna: these spaces always ask the same questions."""
    questions = sample(space, Random(0)).questions
    study = optuna.create_study(direction="maximize", sampler=sampler(seed=0))
    for _ in range(history):
        began = time.perf_counter()
        trial = study.ask()
        answers = {
            address: trial.suggest_categorical(address, domain)
            if isinstance(domain, Options)
            else trial.suggest_float(address, domain.low, domain.high, log=domain.log)
            for address, domain in questions.items()
        }
        asked = time.perf_counter() - began
        value = score(answers)
        began = time.perf_counter()
        study.tell(trial, value)
        yield asked + time.perf_counter() - began, answers, value


def contenders(history: int) -> Mapping[str, Callable[[Space, Score], Iterator[tuple[float, Answers, float]]]]:
    return {
        "raynas random": lambda space, score: run_raynas(rn.RandomSearch(), space, score, history),
        "raynas evolution": lambda space, score: run_raynas(rn.RegularizedEvolution(), space, score, history),
        "without keys": lambda space, score: run_raynas(Naive(), space, score, history),
        "Optuna NSGA-II": lambda space, score: run_optuna(optuna.samplers.NSGAIISampler, space, score, history),
        "Optuna TPE": lambda space, score: run_optuna(optuna.samplers.TPESampler, space, score, min(history, 300)),
    }


def late(strategy: Strategy, space: Space, score: Score, history: int) -> float:
    """Proposals a second, over WINDOW of them, of a strategy that was told so many random trials."""
    proposer, rng = strategy.begin(space, (rn.Objective("score"),), 0), Random(1)
    for number in range(1, history + 1):
        architecture = sample(space, rng)
        proposer.tell(Trial(number, architecture, None, FINISHED, "", (), (score(architecture.answers),)))
    spent = 0.0
    for number in range(history + 1, history + WINDOW + 1):
        began = time.perf_counter()
        proposal = proposer.ask()
        spent += time.perf_counter() - began
        value = score(proposal.architecture.answers)
        trial = Trial(number, proposal.architecture, proposal.parent, FINISHED, "", (), (value,))
        began = time.perf_counter()
        proposer.tell(trial)
        spent += time.perf_counter() - began
    return WINDOW / spent


def repeats(space: Space, proposed: list[Answers]) -> float:
    """Share of proposals that were no new network, in %."""
    return 100 * (1 - len({replay(space, answers).identity for answers in proposed}) / len(proposed))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("--history", type=int, default=2000, help="proposals")
    parser.add_argument("--rounds", type=int, default=1, help="repeats of everything, in turn")
    args = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    accuracy = benchmark()
    spaces = {
        "nasbench201": (rn.spaces.nasbench201(), accuracy),
        "nasbench201 + lr": (as_space(with_rate), with_penalty(accuracy)),
        "darts": (rn.spaces.darts(), synthetic),
    }
    ends = sorted({WINDOW, *(e for e in (300, 1000) if e < args.history), args.history})
    for title, (space, score) in spaces.items():
        rates: dict[str, dict[int, list[float]]] = {}
        found: dict[str, tuple[int, float, float]] = {}
        for _ in range(args.rounds):
            for name, begin in contenders(args.history).items():
                gc.collect()
                seconds, proposed, values = zip(*begin(space, score), strict=True)
                for end in ends:
                    # A space that is used up, and TPE, end early: their last window stands for the end of the history.
                    until = min(end, len(seconds))
                    if until == end or end == args.history:
                        spent = sum(seconds[max(0, until - WINDOW) : until])
                        rates.setdefault(name, {}).setdefault(end, []).append(min(until, WINDOW) / spent)
                found[name] = len(seconds), repeats(space, list(proposed)), max(values)
        show(
            f"{title}: proposals a second, over {WINDOW} at a time",
            ("strategy", *(f"to the {end:,}th" for end in ends[:-1]), "at the end", "proposed", "repeats %", "best"),
            [
                (name, *(spread(rates[name][end]) if end in rates[name] else None for end in ends), *found[name])
                for name in rates
            ],
        )
    show(
        f"proposals a second with a history of {args.history:,}, on darts",
        ("strategy", "a second"),
        [
            (name, spread([late(catalog.STRATEGIES[name](), rn.spaces.darts(), synthetic, args.history)]))
            for name in LATE
        ],
    )


if __name__ == "__main__":
    main()

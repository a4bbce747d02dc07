"""Strategies that break one promise each, and the test of the suite that must notice."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from raynas.errors import Exhausted
from raynas.records import Proposal
from raynas.spaces.decide import sample
from raynas.strategies.fresh import Fresh


@dataclass(frozen=True)
class Good:
    """Random search, whose parts the others get wrong."""

    def begin(self, space, objectives, seed):
        return Proposer(space, seed)


class Proposer:
    def __init__(self, space, seed):
        self.space, self.rng = space, random.Random(seed)
        self.fresh = Fresh(space, self.rng)
        self.told = []

    def ask(self):
        return Proposal(self.fresh.random())

    def tell(self, trial):
        self.told.append(trial)


@dataclass(frozen=True)
class Repeats(Good):
    """Draws blindly, so that a network comes twice."""

    def begin(self, space, objectives, seed):
        class Blind(Proposer):
            def ask(self):
                return Proposal(sample(self.space, self.rng))

        return Blind(space, seed)


@dataclass(frozen=True)
class RepeatsAfterReplay(Good):
    """What was proposed is remembered by its class, so that a resumed search goes on elsewhere."""

    def begin(self, space, objectives, seed):
        proposer = Proposer(space, seed)
        proposer.fresh = SEEN.setdefault((space.name, seed), proposer.fresh)
        return proposer


SEEN: dict = {}


@dataclass(frozen=True)
class GlobalRandom(Good):
    def begin(self, space, objectives, seed):
        class Global(Proposer):
            def ask(self):
                random.random()
                return super().ask()

        return Global(space, seed)


@dataclass(frozen=True)
class Unseeded(Good):
    def begin(self, space, objectives, seed):
        return Proposer(space, None)


@dataclass(frozen=True)
class Deaf(Good):
    """The seed changes nothing."""

    def begin(self, space, objectives, seed):
        return Proposer(space, 0)


@dataclass(frozen=True)
class MutatesSettings(Good):
    searches: int = 0

    def begin(self, space, objectives, seed):
        object.__setattr__(self, "searches", self.searches + 1)
        return Proposer(space, seed)


@dataclass
class NotFrozen:
    """Settings that anybody may change."""

    population: int = 3

    def begin(self, space, objectives, seed):
        return Proposer(space, seed)


@dataclass(frozen=True)
class NotJson(Good):
    rng: object = field(default_factory=object)


@dataclass(frozen=True)
class FailsOnFailure(Good):
    def begin(self, space, objectives, seed):
        class Sums(Proposer):
            def tell(self, trial):
                self.told.append(trial.score + 0)

        return Sums(space, seed)


@dataclass(frozen=True)
class FailsOnRungs(Good):
    def begin(self, space, objectives, seed):
        class Strict(Proposer):
            def tell(self, trial):
                if trial.id in self.told:
                    raise KeyError(trial.id)
                self.told.append(trial.id)

        return Strict(space, seed)


@dataclass(frozen=True)
class Endless(Good):
    """Waits for ever where there is nothing left."""

    def begin(self, space, objectives, seed):
        class Waiting(Proposer):
            def ask(self):
                try:
                    return super().ask()
                except Exhausted:
                    return None

        return Waiting(space, seed)


@dataclass(frozen=True)
class OneAtATime(Good):
    def begin(self, space, objectives, seed):
        class Patient(Proposer):
            asked = 0

            def ask(self):
                if self.asked > len(self.told):
                    return None
                self.asked += 1
                return super().ask()

        return Patient(space, seed)


@dataclass(frozen=True)
class Hasty(Good):
    """An ask that has no answer is no ask without a trace."""

    def begin(self, space, objectives, seed):
        class Counting(Proposer):
            asked = 0

            def ask(self):
                self.rng.random()
                if self.asked >= len(self.told) + 9:
                    return None
                self.asked += 1
                return super().ask()

        return Counting(space, seed)


@dataclass(frozen=True)
class UnknownParents(Good):
    def begin(self, space, objectives, seed):
        class Orphan(Proposer):
            def ask(self):
                return super().ask()._replace(parent=len(self.told) + 1)

        return Orphan(space, seed)


@dataclass(frozen=True)
class Outside(Good):
    """Answers of its own making, which no question of the space asks."""

    def begin(self, space, objectives, seed):
        class Inventive(Proposer):
            def ask(self):
                found = super().ask().architecture
                object.__setattr__(found, "answers", {**found.answers, "more": 1})
                return Proposal(found)

        return Inventive(space, seed)


@dataclass(frozen=True)
class OneRate(Good):
    """Hyperparameters are drawn once."""

    def begin(self, space, objectives, seed):
        class Stubborn(Proposer):
            def ask(self):
                first = sample(self.space, 0)
                if "train/lr" not in first.answers:
                    return super().ask()
                return Proposal(first)

        return Stubborn(space, seed)


CAUGHT = {
    Repeats: "test_ends_when_the_space_is_exhausted",
    RepeatsAfterReplay: "test_replay_gives_the_same_next_asks",
    GlobalRandom: "test_no_global_random_state_is_touched",
    Unseeded: "test_same_seed_same_search",
    Deaf: "test_same_seed_same_search",
    MutatesSettings: "test_two_searches_of_one_strategy_do_not_meet",
    NotFrozen: "test_settings_are_frozen",
    NotJson: "test_settings_are_json",
    FailsOnFailure: "test_survives_failed_trials",
    FailsOnRungs: "test_is_told_at_rungs_too",
    Endless: "test_ends_though_every_trial_fails",
    OneAtATime: "test_answers_while_others_run",
    Hasty: "test_waiting_leaves_no_trace",
    UnknownParents: "test_parents_are_trials_that_were_told",
    Outside: "test_stays_inside_the_space",
    OneRate: "test_searches_hyperparameters_jointly",
}

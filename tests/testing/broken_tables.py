"""Tables that break one promise each, and the test of the suite that must notice."""

from __future__ import annotations

import random

from fakes import merit

from raynas.estimators.tabular import MissingCell
from raynas.records import Measurement
from raynas.spaces import nasbench201


class Good:
    """Knows two thirds of the cells."""

    name = "good"
    space = nasbench201()
    budgets = (1.0, 4.0)
    best = {"val_accuracy": 1.0}  # noqa: RUF012

    def curve(self, architecture):
        if merit(architecture) < 0.3:
            raise MissingCell(architecture.key)
        return [self.reading(architecture, budget) for budget in self.budgets]

    def reading(self, architecture, budget):
        return Measurement(
            budget, {"val_accuracy": merit(architecture) * budget / 4, "train_s": 9 * budget, "train_epochs": budget}
        )

    def truth(self, architecture):
        self.curve(architecture)
        return {"val_accuracy": merit(architecture)}


class Percent(Good):
    def reading(self, architecture, budget):
        budget, metrics = super().reading(architecture, budget)
        return Measurement(budget, {**metrics, "val_accuracy": 100 * metrics["val_accuracy"]})


class Falling(Good):
    budgets = (4.0, 1.0)


class OneReading(Good):
    def curve(self, architecture):
        return super().curve(architecture)[:1]


class NoTimes(Good):
    def reading(self, architecture, budget):
        return Measurement(budget, {"val_accuracy": 0.5})


class CheaperInTheEnd(Good):
    def reading(self, architecture, budget):
        budget, metrics = super().reading(architecture, budget)
        return Measurement(budget, {**metrics, "train_s": 9 / budget})


class KeyErrors(Good):
    def curve(self, architecture):
        if merit(architecture) < 0.3:
            raise KeyError(architecture.key)
        return super().curve(architecture)


class HalfThere(Good):
    """Says the truth of cells that it does not know."""

    def truth(self, architecture):
        return {"val_accuracy": merit(architecture)}


class Modest(Good):
    best = {"val_accuracy": 0.5}  # noqa: RUF012


class Noisy(Good):
    """A cell is drawn anew each time it is looked up."""

    def __init__(self):
        self.rng = random.Random(0)

    def truth(self, architecture):
        return {"val_accuracy": super().truth(architecture)["val_accuracy"] * self.rng.random()}


class GlobalRandom(Good):
    def truth(self, architecture):
        random.seed(0)
        return super().truth(architecture)


CAUGHT = {
    Percent: "test_every_reading_holds_the_named_metrics_as_numbers",
    Falling: "test_has_a_name_a_space_and_budgets",
    OneReading: "test_a_curve_has_a_reading_at_each_budget",
    NoTimes: "test_every_reading_holds_the_named_metrics_as_numbers",
    CheaperInTheEnd: "test_costs_add_up",
    KeyErrors: "test_what_has_no_entry_is_missing",
    HalfThere: "test_what_has_no_entry_is_missing",
    Modest: "test_best_is_the_highest_truth",
    Noisy: "test_one_entry_is_one_answer",
    GlobalRandom: "test_no_global_random_state_is_touched",
}

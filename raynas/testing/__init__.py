"""What every strategy, scheduler, space, estimator and table must do, as tests to inherit.

The parts of raynas inherit these suites, and so can yours. A suite is a class; say in a test file of your own how to
make the part, and pytest does the rest:

    from raynas.testing.strategy import StrategyContract

    class TestMine(StrategyContract):
        def make(self):
            return Mine()

`StrategyContract` is in `raynas.testing.strategy`, `SchedulerContract` in `.scheduler`, `SpaceContract` in `.space`,
`EstimatorContract` in `.estimator`, `TableContract` in `.table`. A promise that a part does not make is switched off by
the name of its test, `test_ends_when_the_space_is_exhausted = None`, with a comment that says why.

Nothing else in raynas needs pytest and hypothesis: `pip install 'raynas[testing]'`.
"""

import pytest

# Must come before the modules are imported: it is what makes a failed `assert` show both sides.
pytest.register_assert_rewrite(
    *(f"raynas.testing.{name}" for name in ("estimator", "scheduler", "settings", "space", "strategy", "table"))
)

"""The demo: regularized evolution and, with the same budget, random search look for a network that reads digits.

    make demo        # or: python experiments/demo.py

Data: scikit-learn's 1,797 handwritten digits, split into training, validation and test images; the test images are
read once per search, for its winner. Fails where fewer than 30 architectures were tried or the better winner reads
less than 97.5 % of the test images, so that CI notices.
"""

from __future__ import annotations

import sys

from rich.table import Table

import raynas as rn
from raynas.cli.live import display, finish, screen
from raynas.records import Strategy
from raynas.tune.run import session

TRIALS, EPOCHS = 32, 9
PROMISE = 0.975


def search(strategy: Strategy) -> rn.Search:
    """One of the two searches."""
    return rn.Search(
        space=rn.spaces.cells(),
        strategy=strategy,
        estimator=rn.Train(rn.data.digits(), epochs=EPOCHS),
        scheduler=rn.Asha(rungs=(1, 3, 9)),
        trials=TRIALS,
    )


def main() -> int:
    runs = {}
    with session():
        for name, strategy in (
            ("regularized evolution", rn.RegularizedEvolution.for_trials(TRIALS)),
            ("random search", rn.RandomSearch()),
        ):
            print(f"\n{name}: {TRIALS} architectures, at most {EPOCHS} epochs each", file=sys.stderr)
            runs[name] = search(strategy).run(display())
    finish(runs["regularized evolution"], as_json=False)

    table = Table(title="the same budget for both", title_justify="left")
    rows = ("test accuracy", "validation accuracy", "parameters", "architectures", "epochs trained", "seconds", "run")
    table.add_column("")
    columns = []
    for name, run in runs.items():
        table.add_column(name, justify="right")
        told = run.summary()
        metrics = told["best"]["metrics"]
        columns.append(
            (
                f"{metrics['test_accuracy']:.2%}",
                f"{told['best']['score']:.2%}",
                f"{metrics['params_m'] * 1e6:,.0f}",
                str(told["trials"]["asked"]),
                f"{told['epochs_trained']:g}",
                f"{told['wall_s']:.0f}",
                str(run.folder),
            )
        )
    for row in zip(rows, *columns, strict=True):
        table.add_row(*row)
    screen().print(table)
    best = max(run.best().metrics["test_accuracy"] for run in runs.values())
    tried = min(len(run.trials) for run in runs.values())
    if best < PROMISE or tried < 30:
        print(f"the demo promises 30 architectures and {PROMISE:.1%}, but got {tried} and {best:.2%}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

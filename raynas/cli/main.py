"""`raynas`: the commands, their options and exit codes.

Nothing heavy is imported before a command needs it: `raynas --help` answers in a fraction of a second.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from raynas.errors import AllTrialsFailed, Interrupted, RaynasError, StorageError
from raynas.files import DISK_FULL

app = typer.Typer(
    name="raynas",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Neural architecture search on Ray Tune: a search space, data and a budget in, a trained network out.\n\n"
    "Start with `raynas search`: it finds a network for handwritten digits in about a minute.",
)

Text = str | None
RUN = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, e.g. runs/first.", show_default=False)]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@app.command(
    epilog="Examples:\n\n"
    "  raynas search\n\n"
    "  raynas search --space chain --data digits --trials 20 --epochs 9 --name first\n\n"
    "  raynas search --data folder --data-dir photos --constraint 'params_m<=0.5' --set data.size=64\n\n"
    "  raynas search recipe.py:small --trials 100 --gpus-per-trial 0.25 --address auto"
)
def search(
    recipe: Annotated[
        Text,
        typer.Argument(metavar="[RECIPE.py[:FUNCTION]]", help="Python function that returns a raynas.Search."),
    ] = None,
    space: Annotated[Text, typer.Option(help="What is searched: see `raynas list spaces`.")] = None,
    strategy: Annotated[Text, typer.Option(help="Who proposes: see `raynas list strategies`.")] = None,
    estimator: Annotated[Text, typer.Option(help="What scores: see `raynas list estimators`.")] = None,
    scheduler: Annotated[Text, typer.Option(help="Who goes on at each rung: see `raynas list schedulers`.")] = None,
    data: Annotated[Text, typer.Option(help="Images to train on: see `raynas list data`.")] = None,
    data_dir: Annotated[Text, typer.Option(metavar="DIR", help="Where the data is: a folder, or a file.")] = None,
    trials: Annotated[int | None, typer.Option(metavar="N", help="Architectures to try.  [default: 40]")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Full training of one.  [default: 9]")] = None,
    hours: Annotated[float | None, typer.Option(metavar="H", help="Stop after so long; resumable.")] = None,
    objective: Annotated[
        list[str] | None, typer.Option(metavar="METRIC[:max|min]", help="What is optimised; repeatable.")
    ] = None,
    constraint: Annotated[
        list[str] | None, typer.Option(metavar="'METRIC<=X'", help="What must hold; repeatable.")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(metavar="N", help="Trials at once.")] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(metavar="X", help="CPUs of a trial.")] = None,
    gpus_per_trial: Annotated[float | None, typer.Option(metavar="X", help="GPUs of a trial, e.g. 0.25.")] = None,
    epoch_timeout: Annotated[
        float | None, typer.Option(metavar="S", help="A trial without a reading for so long fails.")
    ] = None,
    trial_timeout: Annotated[float | None, typer.Option(metavar="S", help="A trial that takes longer fails.")] = None,
    memory_gb_per_trial: Annotated[
        float | None, typer.Option(metavar="X", help="A trial that takes more GiB fails.")
    ] = None,
    disk_gb: Annotated[float | None, typer.Option(metavar="X", help="Stop when the run holds more GiB.")] = None,
    address: Annotated[Text, typer.Option(metavar="ADDR", help="Ray cluster to join: auto, host:port.")] = None,
    storage: Annotated[Text, typer.Option(metavar="DIR", help="Where runs are kept.  [default: runs]")] = None,
    mirror: Annotated[
        Text, typer.Option(metavar="URI", help="Keep a copy of the run there, e.g. s3://bucket/runs.")
    ] = None,
    name: Annotated[Text, typer.Option(metavar="NAME", help="Of this run's folder.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Same seed, same search.  [default: 0]")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting, e.g. space.width=16; repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, say what would run, stop.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Search for an architecture, train it, hand it over.

    Without arguments: the demo (cells for handwritten digits, regularized evolution, ASHA).
    """
    from raynas.cli import live
    from raynas.cli.build import Choices, make_search, tell_plan

    made = make_search(
        Choices(
            recipe=recipe, space=space, strategy=strategy, estimator=estimator, scheduler=scheduler, data=data,
            data_dir=data_dir, trials=trials, epochs=epochs, hours=hours, objectives=tuple(objective or ()),
            constraints=tuple(constraint or ()), concurrency=concurrency, cpus_per_trial=cpus_per_trial,
            epoch_timeout_s=epoch_timeout, trial_timeout_s=trial_timeout, memory_gb_per_trial=memory_gb_per_trial,
            disk_gb=disk_gb, gpus_per_trial=gpus_per_trial, address=address, storage=storage, mirror=mirror,
            name=name, seed=seed, settings=tuple(set_ or ()),
        )
    )  # fmt: skip
    if dry_run:
        tell_plan(made, as_json=as_json)
        return
    live.finish(made.run(None if as_json else live.display()), as_json=as_json)


@app.command(epilog="Example:\n\n  raynas resume runs/first --trials 100")
def resume(
    run: RUN,
    trials: Annotated[int | None, typer.Option(metavar="N", help="Try so many in all, more than before.")] = None,
    hours: Annotated[float | None, typer.Option(metavar="H", help="Stop after so long.")] = None,
    concurrency: Annotated[int | None, typer.Option(metavar="N", help="Trials at once.")] = None,
    epoch_timeout: Annotated[
        float | None, typer.Option(metavar="S", help="A trial without a reading for so long fails.")
    ] = None,
    trial_timeout: Annotated[float | None, typer.Option(metavar="S", help="A trial that takes longer fails.")] = None,
    disk_gb: Annotated[float | None, typer.Option(metavar="X", help="Stop when the run holds more GiB.")] = None,
    address: Annotated[Text, typer.Option(metavar="ADDR", help="Ray cluster to join.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Continue a stopped or killed run: nothing that was recorded is lost or trained again."""
    from raynas.cli import live
    from raynas.cli.build import remake_search

    made = remake_search(
        run, trials=trials, hours=hours, concurrency=concurrency, epoch_timeout_s=epoch_timeout,
        trial_timeout_s=trial_timeout, disk_gb=disk_gb, address=address,
    )  # fmt: skip
    live.finish(made.resume(None if as_json else live.display()), as_json=as_json)


@app.command(epilog="Example:\n\n  raynas fetch s3://bucket/runs/first runs/first && raynas resume runs/first")
def fetch(
    uri: Annotated[str, typer.Argument(metavar="URI", help="Of a run's copy.", show_default=False)],
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder to make.", show_default=False)],
) -> None:
    """Bring a run back from the storage that `search --mirror` kept a copy in."""
    from raynas.mirror import fetch as bring

    bring(uri, run)


@app.command(epilog="Examples:\n\n  raynas show runs/first --top 5\n\n  raynas show runs/first --json")
def show(
    run: RUN,
    as_json: AS_JSON = False,
    pareto: Annotated[bool, typer.Option("--pareto", help="Only trials that no other beats in everything.")] = False,
    top: Annotated[int, typer.Option(metavar="K", min=1, help="Show the K best trials.")] = 10,
) -> None:
    """Show how a run stands, also while it runs."""
    from raynas.cli.show import show_run
    from raynas.run import Run

    opened = Run(run)
    if as_json:
        _print_json(opened.summary())
    else:
        show_run(opened, top=top, front_only=pareto)


@app.command(
    epilog="Examples:\n\n"
    "  raynas bench nasbench201.parquet --dataset cifar10 --strategies random,evolution --budget 12000s --out out\n\n"
    "  raynas bench nasbench201.parquet --strategies random,evolution --fidelities 12,200 --budget 20 --seeds 200\n\n"
    "  raynas bench curves.parquet --strategies evolution,small=evolution --set small.population=10 --budget 100\n\n"
    "  raynas bench mine.py:table --strategies random,evolution --budget 50 --workers 8"
)
def bench(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            show_default=False,
            help="Parquet file of results, file or folder of NATS-Bench, or FILE.py:FUNCTION that returns a table.",
        ),
    ],
    strategies: Annotated[
        str,
        typer.Option(
            metavar="A,B,...", help="Who competes, the baseline first: NAME or LABEL=NAME.", show_default=False
        ),
    ],
    budget: Annotated[
        str,
        typer.Option(metavar="N|Ns", help="Of each search: full trainings, or virtual seconds.", show_default=False),
    ],
    space: Annotated[Text, typer.Option(help="The table's space, to be sure.")] = None,
    dataset: Annotated[Text, typer.Option(metavar="NAME", help="One of the table's data sets.")] = None,
    fidelities: Annotated[
        Text, typer.Option(metavar="E,E", help="Epochs at which a search reads, e.g. 12,200.  [default: full training]")
    ] = None,
    scheduler: Annotated[
        Text, typer.Option(help="Who goes on at each rung.  [default: asha where there are several fidelities]")
    ] = None,
    objective: Annotated[
        list[str] | None, typer.Option(metavar="METRIC[:max|min]", help="val_accuracy, then others; repeatable.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, e.g. evolution.population=10; repeatable."),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="Simulated workers.")] = 1,
    seeds: Annotated[int, typer.Option(metavar="K", help="Searches of each strategy.")] = 30,
    target: Annotated[
        float | None, typer.Option(metavar="PERCENT", help="Accuracy to reach.  [default: what the first one reaches]")
    ] = None,
    processes: Annotated[int | None, typer.Option(metavar="P", help="Cores to use.  [default: all]")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where report, pictures and evaluations go.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Compare strategies on a table of results: no training, no Ray, and statistics that tell who is better."""
    from raynas.cli import bench as command

    wanted = command.Wanted(
        table, strategies, budget, space, dataset, fidelities, scheduler, tuple(objective or ()), tuple(set_ or ()),
        workers, seeds, target, processes,
    )  # fmt: skip
    command.bench(wanted, out=out, overwrite=overwrite, as_json=as_json)


@app.command("list", epilog="Example:\n\n  raynas list spaces")
def list_(
    what: Annotated[str, typer.Argument(metavar="spaces|strategies|estimators|schedulers|data", show_default=False)],
    as_json: AS_JSON = False,
) -> None:
    """List what can be named on the command line."""
    from raynas.cli.show import show_catalog

    show_catalog(what, as_json=as_json)


@app.command(epilog="Example:\n\n  raynas doctor --storage runs --address auto")
def doctor(
    storage: Annotated[Path, typer.Option(metavar="DIR", help="Where runs would be kept.")] = Path("runs"),
    address: Annotated[Text, typer.Option(metavar="ADDR", help="Ray cluster that should answer.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Check the machine: Python, torch, GPUs, Ray, disk, memory, storage, cluster."""
    from raynas.cli.doctor import examine, tell

    findings = examine(storage, address)
    if as_json:
        _print_json([f._asdict() for f in findings])
    else:
        tell(findings)
    if not all(f.good for f in findings):
        raise typer.Exit(2)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


def _with_value(message: str, arguments: list[str]) -> str:
    """A usage error that names the value too, where it names the option alone."""
    match = re.match(r"Invalid value for '(--[\w-]+)'", message)
    if not match or match[1] not in arguments[:-1]:
        return message
    value = arguments[arguments.index(match[1]) + 1]
    return message.replace(match[0], f"{match[0]}: {value!r}", 1)


def main() -> None:
    """Runs a command; every deliberate error is one line, and its kind is the exit code."""
    try:
        code = app(standalone_mode=False)
        if code == 130:  # typer turns Ctrl-C into an exit code
            typer.echo("raynas: interrupted", err=True)
    except Interrupted as stop:
        typer.echo(f"raynas: {stop}", err=True)
        code = stop.exit_code
    except RaynasError as error:
        typer.echo(f"raynas: {' '.join(str(error).split())}", err=True)
        if isinstance(error, AllTrialsFailed) and error.traceback:
            typer.echo(textwrap.indent(error.traceback, "  "), err=True)
        code = error.exit_code
    except BrokenPipeError:
        code = 141
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        typer.echo(f"raynas: {StorageError(str(error.filename or '.'), str(error))}", err=True)
        code = StorageError.exit_code
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("raynas: interrupted", err=True)
        code = 130
    except Exception as error:
        # A usage error of click, of which typer ships its own copy; anything else is a bug and shows its traceback.
        if not hasattr(error, "format_message"):
            raise
        typer.echo(f"raynas: {_with_value(error.format_message(), sys.argv)} See --help.", err=True)
        code = 2
    sys.exit(code or 0)


if __name__ == "__main__":
    main()

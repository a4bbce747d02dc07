"""Every search space at full size: do all its architectures fit, cost what is said, and come quickly?

    python experiments/check_spaces.py                                  # a quarter of an hour on two cores
    python experiments/check_spaces.py --spaces darts mobile --architectures 1000 --networks 30

Of each space, with its default settings: random architectures, and of each five mutations and a crossover with the one
before. All are given shapes; the random ones are written as JSON, read back and replayed, and their keys must survive a
relabelling of the nodes. Some are built: parameters and multiply-adds are counted on the module (by hooks, while it
runs) and compared with what was predicted, and a training step must leave finite gradients.

`fit`: architectures whose shapes were inferred; `same`: random ones that JSON, replay and relabelling did not change;
`exact`: networks whose parameters and multiply-adds were as predicted and that trained a step. All should be 100 %.
`a second`: architectures sampled and keyed, and mutated and keyed, in a process without torch.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

from measuring import apart, show, told
from rich.console import Console
from rich.progress import track

from raynas import catalog, spaces
from raynas.cost import cost_of_plan
from raynas.errors import SpaceError
from raynas.graph import Graph, Node
from raynas.plan import Task, plan
from raynas.records import Architecture, Space

TASK = Task((3, 16, 16), 10)


def relabelled(graph: Graph, rng: Random) -> Graph:
    """The same graph, its nodes in another topological order and the inputs of sums in another order."""
    waiting = set(range(len(graph.nodes)))
    inputs_in_order = [i for i, node in enumerate(graph.nodes) if node.op == "input"]
    place: dict[int, int] = {}
    nodes: list[Node] = []
    while waiting:
        ready = [i for i in sorted(waiting) if all(j in place for j in graph.nodes[i].inputs)]
        first = next((i for i in inputs_in_order if i in waiting), None)  # inputs keep their order
        index = rng.choice([i for i in ready if graph.nodes[i].op != "input" or i == first])
        waiting.remove(index)
        op, inputs, args = graph.nodes[index]
        moved = [place[j] for j in inputs]
        if op == "sum":
            rng.shuffle(moved)
        place[index] = len(nodes)
        nodes.append(Node(op, tuple(moved), args))
    motifs = tuple((name, relabelled(motif, rng)) for name, motif in graph.motifs)
    return Graph(tuple(nodes), place[graph.output], motifs)


def drawn(space: Space, rng: Random, number: int) -> Iterator[Architecture]:
    """Random architectures, five mutations of each, and a crossover with the one before."""
    before = spaces.sample(space, rng)
    for _ in range(number):
        architecture = spaces.sample(space, rng)
        yield architecture
        for _ in range(5):
            yield spaces.mutate(space, architecture, rng)
        yield spaces.crossover(space, architecture, before, rng)
        before = architecture


PARTS = 20
"""Each space is checked in so many parts, each from a seed of its own, so that progress shows and workers stay busy."""


def check(name: str, part: int, architectures: int, networks: int) -> Counter[str]:
    """A part of everything but the speed, of one space; what went wrong is counted under its own words."""
    import torch

    torch.set_num_threads(1)
    space, rng = catalog.SPACES[name](), Random(part)
    found: Counter[str] = Counter()
    for index, architecture in enumerate(drawn(space, rng, architectures)):
        found["total"] += 1
        try:
            plan(architecture.graph, TASK)
        except Exception as error:  # noqa: BLE001 - whatever breaks is what is looked for
            found[f"{type(error).__name__}: {error} of {json.dumps(dict(architecture.answers))}"] += 1
            continue
        found["fit"] += 1
        if index % 7 == 0:  # the random ones
            found["compared"] += 1
            again = spaces.from_json(space, json.loads(json.dumps(architecture.to_json())))
            moved = relabelled(architecture.graph, rng).key
            found["same"] += again == architecture and again.key == architecture.key == moved
    for _ in range(networks):
        found["exact"] += trains_as_predicted(spaces.sample(space, rng).graph)
    return found


def trains_as_predicted(graph: Graph) -> bool:
    """Whether a network has the parameters and multiply-adds that were predicted, and trains a step."""
    import torch
    from torch import nn

    from raynas.nn import build
    from raynas.testing.multiply_adds import multiply_adds

    network = build(graph, TASK)
    predicted = cost_of_plan(network.plan)
    counted = multiply_adds(network, TASK)
    answered = network.train()(torch.randn(2, *TASK.input_shape))
    logits = answered[0] if isinstance(answered, tuple) else answered
    nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    trained = bool(gradients) and all(bool(torch.isfinite(g).all()) for g in gradients)
    params = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return trained and (params, counted) == (predicted.params, predicted.flops)


def speed(name: str) -> dict[str, float]:
    """Architectures a second, sampled and mutated, keys included; two seconds each."""
    space, rng = catalog.SPACES[name](), Random(0)
    rates = {}
    parent = spaces.sample(space, rng)
    for what in ("sample", "mutate"):
        made, started = 0, time.perf_counter()
        while time.perf_counter() - started < 2:
            for _ in range(20):
                made += 1
                if what == "sample":
                    _ = spaces.sample(space, rng).key
                else:
                    child = spaces.mutate(space, parent, rng)
                    _ = child.key
                    parent = child if made % 10 else spaces.sample(space, rng)
        rates[what] = made / (time.perf_counter() - started)
    if "torch" in sys.modules:
        raise SystemExit("torch was loaded")
    return rates


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("--spaces", nargs="+", choices=catalog.SPACES, default=list(catalog.SPACES), metavar="SPACE")
    parser.add_argument("--architectures", type=int, default=10_000)
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--speed", choices=catalog.SPACES, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.speed:
        sys.stdout.write(json.dumps(speed(args.speed)) + "\n")
        return
    rates = {name: apart(__file__, "--speed", name) for name in args.spaces}
    parts = min(PARTS, args.architectures)
    rows, wrong = [], []
    with ProcessPoolExecutor(args.workers) as pool:
        jobs = {
            name: [pool.submit(check, name, part, *shares(part, parts, args)) for part in range(parts)]
            for name in args.spaces
        }
        for name, checks in jobs.items():
            found: Counter[str] = Counter()
            for job in track(checks, name, console=Console(stderr=True), transient=True):
                found += job.result()
            total = found.pop("total")
            of = {"fit": total, "same": found.pop("compared"), "exact": args.networks}
            told_shares = [f"{100 * found.pop(what, 0) / number:.4g} %" for what, number in of.items()]
            rate = f"{told(rates[name]['sample'])} / {told(rates[name]['mutate'])}"
            rows.append((name, _size(name), total, *told_shares, rate))
            print(" | ".join(str(cell) for cell in rows[-1]), file=sys.stderr, flush=True)
            wrong += [f"{name}: {trouble}" for trouble in list(found)[:3]]
    show(
        "search spaces",
        ("space", "size", "architectures", "fit", "same", f"exact of {args.networks}", "a second, sampled / mutated"),
        rows,
        "\n".join(wrong) or "Nothing failed.",
    )


def shares(part: int, parts: int, args: argparse.Namespace) -> tuple[int, int]:
    """How many architectures and networks are checked in a part."""
    return tuple(n * (part + 1) // parts - n * part // parts for n in (args.architectures, args.networks))  # type: ignore[return-value]


def _size(name: str) -> str:
    try:
        size = spaces.count(catalog.SPACES[name]())
    except SpaceError:
        return "unbounded"
    return f"{size:,}" if size < 10**7 else f"{size:.2e}"


if __name__ == "__main__":
    main()

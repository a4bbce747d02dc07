"""What a network costs, predicted and measured: peak training memory, and latency from a table of ops.

    python experiments/bench_cost.py                    # a minute or two
    python experiments/bench_cost.py --networks 40 --spaces darts mobile

Memory: the peak of what torch's CPU allocator holds in a training step (SGD with momentum), beside
`raynas.memory.training_memory`. Latency: the median forward pass at batch size 1 on one thread, beside the sum of a
`LatencyTable`; the first networks fill the table, the others are predicted from it and measured.
Ratios are predicted / measured: median (range). Goal: memory within 20 % on the median.
"""

from __future__ import annotations

import argparse
import os
from itertools import accumulate
from pathlib import Path
from random import Random

os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # the profiler is talkative

import torch
from measuring import show, spread
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from raynas import catalog, spaces
from raynas.memory import BYTES, training_memory
from raynas.nn.build import Network
from raynas.nn.latency import LatencyTable, latency_ms
from raynas.plan import Task, plan

TASK = Task((3, 32, 32), 10)


def peak_bytes(network: nn.Module, batch_size: int) -> int:
    """Of a training step, what is there before it included: weights, momentum, old gradients, the batch."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.randn(batch_size, *TASK.input_shape), torch.zeros(batch_size, dtype=torch.long)
    network.train()

    def step() -> None:
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    changes = [e.nbytes() for e in profiled.profiler.kineto_results.events() if e.name() == "[memory]"]
    return max(accumulate(changes)) + 3 * BYTES * sum(p.numel() for p in network.parameters()) + BYTES * x.numel()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("--spaces", nargs="+", choices=catalog.SPACES, default=list(catalog.SPACES), metavar="SPACE")
    parser.add_argument("--networks", type=int, default=10, help="of each space, after as many that fill the table")
    parser.add_argument("--batch-size", type=int, default=32)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for name in args.spaces:
        space, rng, table = catalog.SPACES[name](), Random(0), LatencyTable()
        memory, latency, entries = [], [], 0
        for turn in range(2 * args.networks):
            network = plan(spaces.sample(space, rng).graph, TASK)
            predicted = table.predict_ms(network)
            if turn < args.networks:
                continue
            built = Network(network)
            latency.append(predicted / latency_ms(built, TASK.input_shape))
            memory.append(training_memory(network, args.batch_size) / peak_bytes(built, args.batch_size))
            entries = len(table.times)
        rows.append((name, spread(memory), spread(latency), entries))
    show(
        f"predicted / measured, {args.networks} networks a space on {TASK.input_shape}",
        ("space", f"training memory, batch {args.batch_size}", "latency, batch 1", "table entries"),
        rows,
        f"Median (range) of the networks; torch {torch.__version__}, one thread.",
    )


if __name__ == "__main__":
    main()

from __future__ import annotations

import json
from random import Random

import pytest
import torch

from raynas import spaces
from raynas.errors import StateError
from raynas.graph import GraphBuilder
from raynas.nn.build import Network
from raynas.nn.latency import LatencyTable, latency_ms
from raynas.plan import Task, plan

TASK = Task((3, 8, 8), 10)


def network(repeats=1):
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=4)
    for _ in range(repeats):
        x = g.add("sum", g.add("conv_bn_relu", x, channels=4), x)
    return plan(g.build(g.add("classifier", x)), TASK)


def test_a_prediction_is_the_sum_of_the_table():
    table = LatencyTable()
    table.predict_ms(network())
    assert len(table.times) == 4  # stem, layer, sum, classifier
    table.times = {step: 2.0**i for i, step in enumerate(table.times)}
    assert table.predict_ms(network()) == 15
    assert table.predict_ms(network(repeats=3)) == 1 + 3 * 2 + 3 * 4 + 8
    assert len(table.times) == 4


def test_times_are_those_of_this_machine():
    threads = torch.get_num_threads()
    table = LatencyTable(threads=1)
    small = plan(spaces.sample(spaces.cells(), Random(0)).graph, TASK)
    predicted = table.predict_ms(small)
    assert torch.get_num_threads() == threads
    built = Network(small)
    assert 0.05 < predicted / latency_ms(built, TASK.input_shape) < 20  # a machine may be busy; a unit is not missed
    assert not built.training


def test_a_saved_table_measures_nothing_again(tmp_path):
    path = tmp_path / "latency.json"
    table = LatencyTable(batch_size=4, path=path)
    told = table.predict_ms(network())
    table.save()
    again = LatencyTable(batch_size=4, path=path)
    assert again.times == table.times
    assert again.predict_ms(network()) == told
    assert list(tmp_path.iterdir()) == [path]


def test_another_setting_or_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "latency.json"
    LatencyTable(path=path).save()
    with pytest.raises(StateError, match="'batch_size': 1.* but .*'batch_size': 2.* is wanted: use another file"):
        LatencyTable(batch_size=2, path=path)
    for damaged in ("", "{}", "[]", '{"times_ms": [1]}', json.dumps({"times_ms": {"a": "fast"}})):
        path.write_text(damaged)
        with pytest.raises(StateError, match="is no latency table"):
            LatencyTable(path=path)
    with pytest.raises(StateError, match="give it a path"):
        LatencyTable().save()

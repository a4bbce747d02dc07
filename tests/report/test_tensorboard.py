from __future__ import annotations

import dataclasses
import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups, plugin_data_pb2
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG, SESSION_START_INFO_TAG

from raynas import spaces
from raynas.records import FAILED, FINISHED, STOPPED, Architecture, Measurement, Trial
from raynas.report.tensorboard import FOLDER, TensorBoardWriter
from raynas.spaces.decide import replay
from raynas.spaces.nasbench201 import ADDRESSES

GRAPH = replay(spaces.NasBench201(), dict.fromkeys(ADDRESSES, "skip_connect")).graph


def trial(number, *curve, answers=None, status=FINISHED, maximise=True):
    """A trial with an accuracy per epoch."""
    readings = tuple(Measurement(epoch, {"val_accuracy": v, "train_s": 1.5}) for epoch, v in enumerate(curve, 1))
    scores = None if status == FAILED else (curve[-1] if maximise else -curve[-1],)
    architecture = Architecture("s", answers or {"op": "skip"}, GRAPH, {})
    return Trial(number, architecture, None, status, "no" if status == FAILED else "", readings, scores)


def write(folder, *trials, maximise=True):
    writer = TensorBoardWriter(folder, "val_accuracy", maximise=maximise)
    for ended in trials:
        writer("asked", dataclasses.replace(ended, measurements=()))
        writer("measured", ended)
        writer("ended", ended)
    writer.close()


def opened(folder):
    """The runs that TensorBoard finds, by name without the key."""
    runs = {}
    for name in os.listdir(folder / FOLDER):
        runs[name.rpartition("-")[0] or name] = EventAccumulator(str(folder / FOLDER / name)).Reload()
    return runs


def points(run, tag):
    return [(point.step, pytest.approx(point.value)) for point in run.Scalars(tag)]


def hparams(run):
    """What the HParams tab shows of a trial: its settings and how it ended."""
    content = run.PluginTagToContent("hparams")
    start = plugin_data_pb2.HParamsPluginData.FromString(content[SESSION_START_INFO_TAG]).session_start_info
    end = plugin_data_pb2.HParamsPluginData.FromString(content[SESSION_END_INFO_TAG]).session_end_info
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    return values, end.status


def test_curves_by_epoch(tmp_path):
    write(tmp_path, trial(1, 0.1, 0.5, 0.7), trial(12, 0.2))
    runs = opened(tmp_path)
    assert runs.keys() == {"search", "trial-00001", "trial-00012"}
    assert points(runs["trial-00001"], "trial/val_accuracy") == [(1, 0.1), (2, 0.5), (3, 0.7)]
    assert points(runs["trial-00001"], "trial/train_s") == [(1, 1.5), (2, 1.5), (3, 1.5)]
    assert points(runs["trial-00012"], "trial/val_accuracy") == [(1, 0.2)]


def test_the_search_by_trial(tmp_path):
    write(tmp_path, trial(1, 0.1, 0.5), trial(2, 0.3, status=STOPPED), trial(3, 0.2, 0.9, status=FAILED), trial(4, 0.6))
    search = opened(tmp_path)["search"]
    assert points(search, "search/val_accuracy") == [(1, 0.5), (2, 0.3), (4, 0.6)]
    assert points(search, "search/best_val_accuracy") == [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.6)]
    assert points(search, "search/epochs_trained") == [(1, 2), (2, 3), (3, 5), (4, 6)]
    assert points(search, "search/failed") == [(1, 0), (2, 0), (3, 1), (4, 1)]


def test_a_metric_that_is_minimised_is_shown_as_it_is(tmp_path):
    write(tmp_path, trial(1, 0.5, maximise=False), trial(2, 0.3, maximise=False), maximise=False)
    search = opened(tmp_path)["search"]
    assert points(search, "search/val_accuracy") == [(1, 0.5), (2, 0.3)]
    assert points(search, "search/best_val_accuracy") == [(1, 0.5), (2, 0.3)]


def test_every_answer_is_a_hyperparameter(tmp_path):
    answers = {"op": "conv", "layers": 3, "skip": True, "train/lr": 0.01, "none": None}
    write(tmp_path, trial(1, 0.5, answers=answers), trial(2, 0.1, status=FAILED))
    runs = opened(tmp_path)
    told, status = hparams(runs["trial-00001"])
    assert told == {"op": "conv", "layers": 3.0, "skip": True, "train/lr": 0.01, "none": "None"}
    assert status == 1  # success
    assert hparams(runs["trial-00002"])[1] == 2  # failure


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_left_out(tmp_path, bad):
    write(tmp_path, trial(1, 0.1, bad, 0.3), trial(2, bad, status=FAILED))
    runs = opened(tmp_path)
    assert points(runs["trial-00001"], "trial/val_accuracy") == [(1, 0.1), (3, 0.3)]
    assert "trial/val_accuracy" not in runs["trial-00002"].Tags()["scalars"]
    assert points(runs["trial-00002"], "trial/train_s") == [(1, 1.5)]


def test_writing_again_leaves_no_duplicates(tmp_path):
    """R33: a resumed search writes what it knows from the ledger and goes on."""
    write(tmp_path, trial(1, 0.1, 0.5), trial(2, 0.3))
    write(tmp_path, trial(1, 0.1, 0.5), trial(2, 0.3), trial(3, 0.7))
    for folder in (tmp_path / FOLDER).iterdir():
        assert len(list(folder.iterdir())) == 1
    runs = opened(tmp_path)
    assert points(runs["trial-00001"], "trial/val_accuracy") == [(1, 0.1), (2, 0.5)]
    assert points(runs["search"], "search/best_val_accuracy") == [(1, 0.5), (2, 0.5), (3, 0.7)]


def test_the_search_is_readable_while_it_goes_on(tmp_path):
    writer = TensorBoardWriter(tmp_path, "val_accuracy", maximise=True)
    writer("ended", trial(1, 0.5))
    assert points(opened(tmp_path)["search"], "search/val_accuracy") == [(1, 0.5)]
    writer.close()


def test_a_search_without_results_writes_nothing(tmp_path):
    write(tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_the_hparams_tab_can_filter_and_sort(tmp_path):
    """As TensorBoard itself puts the tab together: a row a trial, with its answers and its last metrics."""
    write(
        tmp_path, trial(1, 0.1, 0.5, answers={"op": "conv", "lr": 0.1}), trial(2, 0.3, answers={"op": "pool", "lr": 1})
    )
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / FOLDER)).Reload()
    provider = MultiplexerDataProvider(runs, str(tmp_path))
    tab = backend_context.Context(TBContext(data_provider=provider, logdir=str(tmp_path), multiplexer=runs))
    request = api_pb2.ListSessionGroupsRequest(
        slice_size=10, allowed_statuses=[api_pb2.STATUS_SUCCESS], include_metrics=True
    )
    rows = list_session_groups.Handler(RequestContext(), tab, "", request).run().session_groups
    assert sorted(
        (row.hparams["op"].string_value, row.hparams["lr"].number_value, metric.value, metric.training_step)
        for row in rows
        for metric in row.metric_values
        if metric.name.tag == "trial/val_accuracy"
    ) == [("conv", 0.1, 0.5, 2), ("pool", 1.0, pytest.approx(0.3), 1)]


ANSWER = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=20), ANSWER, min_size=1, max_size=5), st.floats())
def test_odd_answers_and_values_do_no_harm(tmp_path, answers, value):
    """R38."""
    write(tmp_path, trial(1, value, answers=answers))
    told, _ = hparams(opened(tmp_path)["trial-00001"])
    assert told.keys() == answers.keys()

"""`Train` and one trial of it: settings, training, resuming."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
import torch

from raynas import Train, data, spaces
from raynas.cost import cost
from raynas.data import Images, Splits
from raynas.errors import ConfigError, DataError, GraphError, RaynasWarning
from raynas.estimators.training import STATE, Diverged
from raynas.graph import GraphBuilder
from raynas.nn import checkpoint, training
from raynas.plan import Task
from raynas.records import Architecture, Context
from raynas.spaces.decide import replay, sample
from raynas.spaces.function import as_space
from raynas.testing.estimator import EstimatorContract

SPACE = spaces.NasBench201(width=4, repeats=1)
CELL = dict(
    zip(
        ("edge0to1", "edge0to2", "edge1to2", "edge0to3", "edge1to3", "edge2to3"),
        ("nor_conv_3x3", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "none", "nor_conv_3x3"),
        strict=True,
    )
)
RGB = Splits.of(
    *(
        Images(np.random.default_rng(n).integers(256, size=(n, 3, 9, 9), dtype=np.uint8), np.arange(n) % 3)
        for n in (70, 20, 10)
    ),
    ("a", "b", "c"),
)
"""Noise in colour, of odd size: what a training must get through, bit for bit."""


@dataclass(frozen=True)
class Noise:
    name = "noise"

    def check(self):
        """Nothing can be missing."""

    def load(self):
        return RGB


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits():
    return data.digits().load().search_view()


def architecture(**hyperparameters):
    made = replay(SPACE, CELL)
    answers = made.answers | {f"train/{name}": value for name, value in hyperparameters.items()}
    return Architecture(SPACE.name, answers, made.graph, {})


def fixed(choose):
    """A small plain network that learns digits."""
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=16, kernel=3)
    x = g.add("conv_bn_relu", x, channels=32, kernel=3, stride=choose("stride", (2,)))
    return g.build(g.add("classifier", x))


def without_times(measurements):
    return [(m.budget, {k: v for k, v in m.metrics.items() if k != "train_s"}) for m in measurements]


def misfit(choose):
    """The image and the classes, added: no such network can be built."""
    g = GraphBuilder()
    image = g.input()
    return g.build(g.add("sum", image, g.add("classifier", image, classes=choose("classes", (2, 3)))))


@dataclass(frozen=True)
class FewDigits:
    """A part of the digits: 192 to train on, 64 to validate."""

    name = "few digits"

    def check(self):
        """They come with scikit-learn."""

    def load(self):
        whole = data.digits().load()
        train, val, test = (p.take(np.arange(n)) for p, n in ((whole.train, 192), (whole.val, 64), (whole.test, 64)))
        return Splits(train, val, test, whole.classes, whole.mean, whole.std)


class TestTrain(EstimatorContract):
    """With everything in it that is random."""

    checkpoints = True

    def make(self):
        return Train(FewDigits(), epochs=3, batch_size=32, crop=1, flip=True, cutout=2)

    def failing(self):
        return sample(as_space(misfit), Random(0))

    def wrong(self):
        return [lambda: Train(epochs=0), lambda: Train(lr=math.nan), lambda: Train(data.folder("nothing"))]

    test_settings_are_json = None  # FewDigits is known here alone


class TestSettings:
    def test_the_defaults_are_good(self):
        Train().check()

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("epochs", [0, -1, 2.5, "9", None, True]),
            ("batch_size", [1, 0, 64.0, math.inf]),
            ("optimizer", ["adam", "SGD", "", None]),
            ("lr", [0, -0.1, math.nan, math.inf, "0.1", None, True]),
            ("momentum", [-0.1, 1, 1.5, math.nan]),
            ("weight_decay", [-1e-4, math.nan, math.inf]),
            ("schedule", ["step", "Cosine", 1]),
            ("warmup_epochs", [-1, 9, 10.5, math.nan]),
            ("label_smoothing", [-0.1, 1, math.nan]),
            ("clip", [-1, math.nan, math.inf]),
            ("amp", [1, "yes", None]),
            ("flip", [1, "false"]),
            ("auxiliary", [-0.1, math.nan, math.inf]),
            ("crop", [-1, 2.5, True]),
            ("cutout", [-1, 4.0]),
        ],
    )
    def test_a_bad_one_is_refused_by_name(self, name, values):
        for value in values:
            with pytest.raises(ConfigError) as refused:
                Train(**{name: value}).check()
            assert str(refused.value).startswith(f"{name} must be ")
            assert str(refused.value).endswith(f"but got {value!r}")

    def test_every_setting_has_been_tried(self):
        [tried] = [m.args[1] for m in TestSettings.test_a_bad_one_is_refused_by_name.pytestmark]
        assert {name for name, _ in tried} == {f.name for f in dataclasses.fields(Train)} - {"data"}

    def test_data_that_is_missing_is_refused(self, tmp_path):
        with pytest.raises(DataError):
            Train(data.folder(str(tmp_path / "nothing"))).check()

    def test_whole_numbers_are_fine_where_fractions_are(self):
        Train(lr=1, momentum=0, weight_decay=0, warmup_epochs=0, clip=0, label_smoothing=0).check()

    def test_hyperparameters_of_an_architecture_replace_settings(self):
        recipe = Train(lr=0.1, epochs=3)
        assert recipe.with_hyperparameters(architecture()) == recipe
        asked = architecture(lr=0.02, batch_size=16, optimizer="adamw", flip=True)
        assert recipe.with_hyperparameters(asked) == Train(
            epochs=3, lr=0.02, batch_size=16, optimizer="adamw", flip=True
        )

    @pytest.mark.parametrize("name", ["lrr", "epochs", "data", "metrics"])
    def test_not_everything_can_be_searched(self, name):
        with pytest.raises(ConfigError, match=f"train/{name} is no hyperparameter; known: amp, auxiliary, batch_size"):
            Train().with_hyperparameters(architecture(**{name: 1}))

    @pytest.mark.parametrize(("name", "value"), [("lr", -1.0), ("optimizer", "adam"), ("batch_size", 16.0)])
    def test_hyperparameters_are_checked_too(self, name, value, digits):
        with pytest.raises(ConfigError, match=f"{name} must be "):
            Train().with_hyperparameters(architecture(**{name: value}))
        with pytest.raises(ConfigError, match=f"{name} must be "):
            Train().estimate(architecture(**{name: value}), Context(1, 0, digits))

    def test_trials_never_see_the_test_split(self):
        recipe = Train(Noise())
        shared = recipe.load()
        assert (len(shared.train), len(shared.val), len(shared.test)) == (70, 20, 0)
        assert recipe.task(shared) == Task((3, 9, 9), 3)


class TestTraining:
    def test_yields_a_measurement_per_epoch(self):
        recipe = Train(Noise(), epochs=3, batch_size=16)
        made = list(recipe.estimate(architecture(), Context(1, 0, RGB)))
        assert [m.budget for m in made] == [1, 2, 3]
        static = cost(architecture().graph, Task((3, 9, 9), 3, 16)).metrics()
        for m in made:
            assert set(m.metrics) == set(recipe.metrics)
            assert 0 <= m.metrics["val_accuracy"] <= 1
            assert static.items() <= m.metrics.items()
        times = [m.metrics["train_s"] for m in made]
        assert times == sorted(times)
        assert times[0] > 0

    def test_the_same_seed_gives_the_same_training(self):
        recipe = Train(Noise(), epochs=2, batch_size=16, crop=1, flip=True, cutout=3)
        first, again, other = (
            without_times(recipe.estimate(architecture(), Context(1, seed, RGB))) for seed in (3, 3, 4)
        )
        assert first == again != other

    def test_learns_digits(self, digits):
        """At least 95 % of the validation images within five epochs; measured: 96.4 %."""
        recipe = Train(epochs=5, batch_size=32)
        *_, last = recipe.estimate(sample(as_space(fixed), Random(0)), Context(1, 0, digits))
        assert last.metrics["val_accuracy"] >= 0.95
        assert last.metrics["val_loss"] < 0.3

    @pytest.mark.parametrize(
        "recipe", [Train(lr=1e6, clip=0.0), Train(lr=1e6, optimizer="adamw")], ids=["sgd", "adamw"]
    )
    def test_a_loss_that_is_not_finite_ends_the_trial(self, recipe):
        recipe = dataclasses.replace(recipe, data=Noise(), epochs=30, batch_size=8, schedule="constant")
        if recipe.optimizer == "adamw":  # AdamW's steps are bounded: batch norm keeps such a network finite
            recipe = dataclasses.replace(recipe, lr=1e38)
        with pytest.raises(Diverged, match=r"training loss is (nan|inf) in epoch \d+"):
            list(recipe.estimate(architecture(), Context(1, 0, RGB)))

    def test_a_network_that_does_not_fit_ends_the_trial(self):
        def misfit(choose):
            g = GraphBuilder()
            image = g.input()
            return g.build(g.add("sum", image, g.add("classifier", image)))

        with pytest.raises(GraphError):
            list(Train(Noise()).estimate(sample(as_space(misfit), Random(0)), Context(1, 0, RGB)))

    def test_images_in_shared_memory_are_read_only(self):
        parts = [Images(part.pixels.copy(), part.labels.copy()) for part in (RGB.train, RGB.val, RGB.test)]
        for part in parts:
            part.pixels.flags.writeable = part.labels.flags.writeable = False
        frozen = Splits(*parts, RGB.classes, RGB.mean, RGB.std)
        recipe = Train(Noise(), epochs=1, crop=2, flip=True, cutout=2)
        frozen_run, plain_run = (
            without_times(recipe.estimate(architecture(), Context(1, 0, d))) for d in (frozen, RGB)
        )
        assert frozen_run == plain_run


class TestResuming:
    @pytest.mark.parametrize(
        "recipe",
        [
            Train(Noise(), epochs=4, batch_size=16),
            Train(Noise(), epochs=4, batch_size=23, momentum=0.0, schedule="constant", clip=0.0),
            Train(Noise(), epochs=4, batch_size=16, optimizer="adamw", lr=0.01, crop=2, flip=True, cutout=4),
        ],
        ids=["sgd", "plain", "adamw-augmented"],
    )
    @pytest.mark.parametrize("at", [1, 3, 4])
    def test_equals_a_training_that_never_stopped(self, recipe, at, tmp_path):
        """Bit for bit: weights, optimizer and metrics, whatever happened to the process in between."""
        whole, parts = Context(1, 7, RGB, folder=str(tmp_path / "a")), Context(
            1, 7, RGB, folder=str(tmp_path / "b"), rungs=(at,)
        )  # fmt: skip
        uninterrupted = list(recipe.estimate(architecture(), whole))
        before = recipe.estimate(architecture(), parts)
        for _ in range(at):
            next(before)
        before.close()
        torch.manual_seed(99)
        torch.rand(17)
        resumed = list(recipe.estimate(architecture(), parts))
        assert without_times(resumed) == without_times(uninterrupted)
        (one, meta), (other, meta_resumed) = (checkpoint.read(tmp_path / folder / STATE) for folder in ("a", "b"))
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert torch.equal(tensor, other[name]), name
        assert meta["key"] == meta_resumed["key"] == architecture().key
        times = [m.metrics["train_s"] for m in resumed]
        assert times == sorted(times)

    def test_continues_from_the_last_checkpoint_and_repeats_what_it_knows(self, tmp_path, monkeypatch):
        recipe = Train(Noise(), epochs=4, batch_size=16)
        context = Context(1, 0, RGB, folder=str(tmp_path), rungs=(2,))
        running = recipe.estimate(architecture(), context)
        first = [next(running) for _ in range(3)]
        trained = []
        original = training.train_epoch

        def spy(*args):
            trained.append(args[5])
            return original(*args)

        monkeypatch.setattr(training, "train_epoch", spy)
        resumed = list(recipe.estimate(architecture(), context))
        assert trained == [2, 3]  # epoch 2 was not at a rung
        assert resumed[:2] == first[:2]
        assert without_times(resumed[2:3]) == without_times(first[2:])
        assert without_times(recipe.estimate(architecture(), context)) == without_times(resumed)
        assert trained == [2, 3]

    def test_checkpoints_are_written_at_rungs_at_the_end_and_now_and_then(self, tmp_path, monkeypatch):
        written = []
        monkeypatch.setattr(checkpoint, "write", lambda path, tensors, meta: written.append(len(meta["measurements"])))
        recipe = Train(Noise(), epochs=5, batch_size=64)
        list(recipe.estimate(architecture(), Context(1, 0, RGB, folder=str(tmp_path), rungs=(1, 3))))
        assert written == [1, 3, 5]
        monkeypatch.setattr("raynas.estimators.training.CHECKPOINT_EVERY_S", 0.0)
        list(recipe.estimate(architecture(), Context(1, 0, RGB, folder=str(tmp_path))))
        assert written[3:] == [1, 2, 3, 4, 5]
        list(recipe.estimate(architecture(), Context(1, 0, RGB)))
        assert len(written) == 8

    def test_a_session_that_ends_saves_what_it_has(self, tmp_path):
        recipe = Train(Noise(), epochs=4, batch_size=64)
        context = Context(1, 0, RGB, folder=str(tmp_path))
        running = recipe.estimate(architecture(), context)
        done = [next(running), next(running)]
        assert not list(tmp_path.iterdir())
        running.close()
        assert checkpoint.read(tmp_path / STATE)[1]["measurements"] == [[m.budget, dict(m.metrics)] for m in done]
        assert without_times(recipe.estimate(architecture(), context)) == without_times(
            recipe.estimate(architecture(), Context(1, 0, RGB))
        )

    @pytest.mark.parametrize("where", [-100, 20, 0], ids=["a weight", "its header", "its length"])
    def test_a_damaged_checkpoint_is_set_aside_and_training_begins_anew(self, tmp_path, where):
        recipe = Train(Noise(), epochs=2, batch_size=64)
        context = Context(1, 0, RGB, folder=str(tmp_path), rungs=(1,))
        whole = list(recipe.estimate(architecture(), context))
        path = tmp_path / STATE
        damaged = bytearray(path.read_bytes())
        damaged[where] ^= 1
        path.write_bytes(damaged)
        with pytest.warns(RaynasWarning, match=r"trial 1 is trained anew: .*state.safetensors is damaged"):
            again = list(recipe.estimate(architecture(), context))
        assert without_times(again) == without_times(whole)
        assert path.with_suffix(".damaged").read_bytes() == damaged
        assert len(checkpoint.read(path)[1]["measurements"]) == 2

    def test_so_is_one_of_another_architecture(self, tmp_path):
        recipe = Train(Noise(), epochs=2, batch_size=64)
        context = Context(1, 0, RGB, folder=str(tmp_path), rungs=(1,))
        next(recipe.estimate(architecture(), context))
        other = replay(SPACE, CELL | {"edge0to3": "nor_conv_3x3"})
        with pytest.warns(RaynasWarning, match=f"of architecture {architecture().key}, not of {other.key}"):
            again = list(recipe.estimate(other, context))
        assert without_times(again) == without_times(recipe.estimate(other, Context(1, 0, RGB)))

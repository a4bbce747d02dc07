"""The network that is handed over."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file
from test_train import RGB, Noise, architecture, one_thread  # noqa: F401 (a fixture)

from raynas import Train
from raynas.data import Images, Splits
from raynas.errors import StateError
from raynas.estimators.image import classifier, network_of, pixels
from raynas.estimators.training import STATE
from raynas.estimators.winner import ARCHITECTURE, WEIGHTS, open_model
from raynas.graph import Graph
from raynas.nn import Network, checkpoint
from raynas.nn.training import evaluate
from raynas.plan import Task
from raynas.records import Context

RECIPE = Train(Noise(), epochs=2, batch_size=16)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    list(RECIPE.estimate(architecture(), Context(1, 0, RGB, folder=str(folder / "trial"))))
    metrics = RECIPE.deliver(architecture(), str(folder / "trial"), str(folder / "best"))
    return folder, metrics


def checkpointed(folder):
    """The network of a trial's checkpoint, in evaluation mode."""
    model = classifier(architecture().graph, Task((3, 9, 9), 3), RGB.mean, RGB.std)
    checkpoint.restore_model(checkpoint.read(folder / "trial" / STATE)[0], model)
    return model.eval()


def test_computes_what_the_trained_one_does(trained):
    folder, metrics = trained
    model = open_model(folder / "best")
    images = torch.from_numpy(RGB.test.pixels)
    with torch.no_grad():
        expected = checkpointed(folder)(images)
        assert torch.equal(model(images), expected)
    assert expected.shape == (10, 3)
    accuracy, loss = evaluate(model, pixels(RGB.test, CPU))
    assert metrics == {"test_accuracy": accuracy, "test_loss": loss}


def test_takes_bytes_and_floats(trained):
    model = open_model(trained[0] / "best")
    images = torch.from_numpy(RGB.test.pixels)
    with torch.no_grad():
        torch.testing.assert_close(model(images.float() / 255), model(images))
        torch.testing.assert_close(model(images[:1]), model(images)[:1])


def test_is_ready_to_use(trained):
    model = open_model(trained[0] / "best")
    assert not any(module.training for module in model.modules())
    assert isinstance(network_of(model), Network)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_its_files_are_plain(trained):
    folder = trained[0] / "best"
    assert sorted(path.name for path in folder.iterdir()) == [ARCHITECTURE, WEIGHTS]
    told = json.loads((folder / ARCHITECTURE).read_text())
    assert told["key"] == architecture().key
    assert Graph.from_json(told["graph"]) == architecture().graph
    assert (told["classes"], told["input_shape"]) == (["a", "b", "c"], [3, 9, 9])
    assert (tuple(told["mean"]), tuple(told["std"])) == (RGB.mean, RGB.std)
    assert load_file(folder / WEIGHTS).keys() == open_model(folder).state_dict().keys()


def test_without_a_test_split_nothing_is_measured(trained, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Untested(Noise):
        def load(self):
            none = RGB.test.take(RGB.test.labels[:0])
            return Splits(RGB.train, RGB.val, Images(none.pixels, none.labels), RGB.classes, RGB.mean, RGB.std)

    recipe = dataclasses.replace(RECIPE, data=Untested())
    assert recipe.deliver(architecture(), str(trained[0] / "trial"), str(tmp_path)) == {}
    open_model(tmp_path)


def test_without_a_checkpoint_there_is_nothing_to_hand_over(tmp_path):
    with pytest.raises(StateError, match="the trial's trained weights are gone"):
        RECIPE.deliver(architecture(), str(tmp_path / "trial"), str(tmp_path / "best"))
    assert not (tmp_path / "best").exists()


def test_a_checkpoint_of_another_network_is_refused(trained, tmp_path):
    from test_train import CELL, SPACE

    from raynas.spaces.decide import replay

    other = replay(SPACE, CELL | {"edge0to3": "nor_conv_3x3"})
    with pytest.raises(StateError):
        RECIPE.deliver(other, str(trained[0] / "trial"), str(tmp_path / "best"))
    assert not (tmp_path / "best").exists()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (ARCHITECTURE, None),
        (WEIGHTS, None),
        (ARCHITECTURE, lambda data: data[: len(data) // 2]),
        (ARCHITECTURE, lambda data: b"[]"),
        (ARCHITECTURE, lambda data: b"{}"),
        (ARCHITECTURE, lambda data: data.replace(b"conv_bn", b"conv_xx")),
        (ARCHITECTURE, lambda data: data.replace(b'"key": "', b'"key": "0')),
        (ARCHITECTURE, lambda data: data.replace(b'"classes": [', b'"classes": [1, ')),
        (WEIGHTS, lambda data: b""),
        (WEIGHTS, lambda data: data[:-1]),
        (WEIGHTS, lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:]),
    ],
)
def test_damage_is_noticed(trained, tmp_path, name, damage):
    for file in (ARCHITECTURE, WEIGHTS):
        content = (trained[0] / "best" / file).read_bytes()
        if file == name:
            if damage is None:
                continue
            assert damage(content) != content
            content = damage(content)
        (tmp_path / file).write_bytes(content)
    with pytest.raises(StateError, match="holds no readable network"):
        open_model(tmp_path)

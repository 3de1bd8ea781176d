"""The poly schedule, freezing, and layer-wise learning rates."""

import harness
import keras
import numpy as np
import pytest
from keras import layers, ops

from segbook.backbones import small_encoder
from segbook.models.fcn import fcn
from segbook.training import LayerwiseSGD, Poly, freeze, nested_layers, unfreeze


@pytest.mark.parametrize(
    ("step", "warmup", "expected"),
    [
        (0, 0, 0.1),
        (50, 0, 0.1 * 0.5**0.9),
        (100, 0, 0.0),
        (150, 0, 0.0),
        (0, 20, 0.0),
        (5, 20, 0.025),
        (20, 20, 0.1),
        (60, 20, 0.1 * 0.5**0.9),
    ],
)
def test_poly_follows_its_formula(step, warmup, expected):
    schedule = Poly(0.1, steps=100, warmup=warmup)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-7)


def test_poly_saves_with_its_optimizer():
    optimizer = keras.optimizers.SGD(Poly(0.1, steps=100, power=2.0, warmup=3))
    config = keras.saving.serialize_keras_object(optimizer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert loaded.get_config() == optimizer.get_config()


def test_poly_needs_a_step_after_the_warmup():
    with pytest.raises(ValueError, match="warmup=5 must be 0 or more and less than steps=5"):
        Poly(0.1, steps=5, warmup=5)


def train(model, optimizer):
    x = harness.picture(33, 33, batch=2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    model.train_on_batch(x, (x[..., 0] * 3).astype("int32"))


def changed(model, before):
    return [
        weight.path
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(weight.numpy(), old)
    ]


def snapshot(model):
    return [weight.numpy().copy() for weight in model.weights]


def test_a_frozen_encoder_does_not_move():
    encoder = small_encoder(width=4)
    model = harness.shake(fcn(3, backbone=encoder))
    freeze(encoder)
    before, whole = snapshot(encoder), snapshot(model)
    train(model, keras.optimizers.SGD(0.1))
    assert changed(encoder, before) == []
    assert changed(model, whole)


def test_unfreezing_without_batch_norm_moves_the_rest():
    encoder = small_encoder(width=4)
    model = harness.shake(fcn(3, backbone=encoder))
    unfreeze(freeze(encoder), batch_norm=False)
    before = snapshot(encoder)
    train(model, keras.optimizers.SGD(0.1))
    moved = changed(encoder, before)
    assert moved
    assert not [path for path in moved if "_bn" in path]


def test_unfreezing_moves_all():
    encoder = small_encoder(width=4)
    model = harness.shake(fcn(3, backbone=encoder))
    unfreeze(freeze(encoder))
    before = snapshot(encoder)
    train(model, keras.optimizers.SGD(0.1))
    assert len(changed(encoder, before)) == len(encoder.weights)


def test_freezing_and_unfreezing_reach_every_part():
    encoder = small_encoder(width=4)
    model = fcn(3, backbone=encoder)
    count = len(model.trainable_weights)
    freeze(encoder)
    unfreeze(model)
    assert len(model.trainable_weights) == count
    freeze(encoder)
    encoder.get_layer("block1_conv1_bn").trainable = True
    freeze(encoder)
    assert not encoder.get_layer("block1_conv1_bn").trainable


def test_nested_layers_lists_the_layers_inside():
    names = {
        layer.name for layer in nested_layers(fcn(3, stride=32, backbone=small_encoder(width=4)))
    }
    assert {"block1_conv1", "fc6"} <= names
    assert "small_encoder" not in names


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_layerwise_rates_scale_the_first_step(momentum):
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(2, name="body"), layers.Dense(1, name="score")]
    )
    # Powers of two, and a rate that is one, make every step exact in float32.
    model.set_weights([np.full((2, 2), 0.5), np.zeros(2), np.full((2, 1), 0.25), np.zeros(1)])
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    start = snapshot(model)
    steps = []
    for factors in ({}, {"score": 10.0, "body": 0.0}):
        for weight, value in zip(model.weights, start, strict=True):
            weight.assign(value)
        model.compile(LayerwiseSGD(factors, learning_rate=2**-6, momentum=momentum), "mse")
        model.train_on_batch(x, y)
        steps.append([w.numpy() - s for w, s in zip(model.weights, start, strict=True)])
    plain, scaled = steps
    for i, factor in enumerate((0, 0, 10, 10)):
        np.testing.assert_allclose(scaled[i], factor * plain[i], rtol=1e-4, atol=1e-7)
    assert np.abs(plain[2]).max() > 1e-3


def test_layerwise_rates_save_and_refuse_negative_factors():
    optimizer = LayerwiseSGD({"score": 10.0}, learning_rate=0.01)
    config = keras.saving.serialize_keras_object(optimizer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert loaded.factors == {"score": 10.0}
    with pytest.raises(ValueError, match=r"factors\['score'\]=-1 must be 0 or more"):
        LayerwiseSGD({"score": -1})


def test_the_schedule_runs_inside_a_compiled_step():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(Poly(0.1, steps=4, warmup=2)), "mse")
    x = np.ones((4, 2), "float32")
    start = snapshot(model)
    model.train_on_batch(x, np.ones((4, 1), "float32"))
    assert changed(model, start) == []
    model.train_on_batch(x, np.ones((4, 1), "float32"))
    assert changed(model, start)
    assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.1)

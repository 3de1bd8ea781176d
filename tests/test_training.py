"""The poly schedule, freezing, and layer-wise learning rates."""

import harness
import keras
import numpy as np
import pytest
from keras import layers, ops

from segbook.backbones import small_encoder
from segbook.losses import CrossEntropy, Dice
from segbook.models.fcn import fcn
from segbook.training import (
    LayerwiseAdamW,
    LayerwiseSGD,
    Poly,
    freeze,
    join,
    nested_layers,
    prepare,
    take_steps,
    unfreeze,
)


@pytest.mark.parametrize(
    ("step", "warmup_steps", "expected"),
    [
        (0, 0, 0.1),
        (50, 0, 0.1 * 0.5**0.9),
        (100, 0, 0.0),
        (150, 0, 0.0),
        (0, 20, 0.0),
        (5, 20, 0.025),
        (20, 20, 0.1),
        (70, 20, 0.1 * 0.5**0.9),
        (120, 20, 0.0),
    ],
)
def test_poly_follows_its_formula(step, warmup_steps, expected):
    schedule = Poly(0.1, decay_steps=100, warmup_steps=warmup_steps)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-7)


def test_poly_is_the_polynomial_decay_of_keras_to_zero():
    theirs = keras.optimizers.schedules.PolynomialDecay(1.0, 7, 0.0, power=2.0)
    ours = Poly(1, 7, power=2.0)
    steps = range(10)
    assert [float(ours(step)) for step in steps] == [float(theirs(step)) for step in steps]


def test_poly_saves_with_its_optimizer():
    optimizer = keras.optimizers.SGD(Poly(0.1, decay_steps=100, power=2.0, warmup_steps=3))
    config = keras.saving.serialize_keras_object(optimizer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert loaded.get_config() == optimizer.get_config()


def test_poly_loads_what_version_0_1_0_saved():
    loaded = Poly.from_config({"rate": 0.1, "steps": 100, "power": 2.0, "warmup": 20})
    # There the number of steps included the warm-up.
    assert [float(loaded(step)) for step in (10, 20, 60, 100)] == pytest.approx(
        [0.05, 0.1, 0.025, 0.0]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decay_steps": 0}, "decay_steps=0 must be 1 or more"),
        ({"decay_steps": 5, "warmup_steps": -1}, "warmup_steps=-1 must be 0 or more"),
    ],
)
def test_poly_needs_steps(arguments, message):
    with pytest.raises(ValueError, match=message):
        Poly(0.1, **arguments)


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


class Inside(layers.Layer):
    """A layer with layers inside, one of them in a list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.BatchNormalization(name="inner_norm")
        self.list = [layers.Dense(2, name="inner_dense")]

    def call(self, x, training=False):
        return self.list[0](self.norm(x, training=training))


def nest():
    """A model whose layers are inside a layer, wrappers and a model."""
    inner = keras.Sequential([keras.Input((None, 2)), Inside(name="inside")], name="inner")
    image = keras.Input((3, 2))
    x = inner(image)
    x = layers.TimeDistributed(layers.BatchNormalization(name="norm"), name="each")(x)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="lstm"), name="both")(x)
    x = layers.Dense(2, trainable=False, name="fixed")(x)
    return keras.Model(image, layers.Dense(1, name="score")(x))


def trainable(model):
    return {weight.path for weight in model.trainable_weights}


def test_nested_layers_reach_everything_inside_once():
    found = nested_layers(nest())
    inside = {"inner", "inside", "inner_norm", "inner_dense", "norm", "score"}
    assert inside | {"forward_lstm", "backward_lstm"} <= {layer.name for layer in found}
    assert len(found) == len(set(map(id, found)))


def test_unfreeze_restores_what_was_trainable_and_nothing_else():
    model = nest()
    before = trainable(model)
    assert len(before) == 14
    assert not [path for path in before if "fixed" in path]
    for _ in range(2):
        freeze(freeze(model))
        assert trainable(model) == set()
        assert not any(layer.trainable for layer in nested_layers(model))
        assert trainable(unfreeze(model)) == before
    unfreeze(model)
    assert trainable(model) == before


def test_batch_norm_stays_frozen_wherever_it_is():
    model = nest()
    before = trainable(model)
    expected = {path for path in before if not path.endswith(("gamma", "beta"))}
    assert len(before) - len(expected) == 4
    for step in (lambda: None, lambda: freeze(model)):
        step()
        assert trainable(unfreeze(model, batch_norm=False)) == expected
        x = np.random.default_rng(0).random((8, 3, 2), "float32")
        moving = [w.numpy() for w in model.weights if "moving" in w.path]
        model(x, training=True)
        now = [w.numpy() for w in model.weights if "moving" in w.path]
        for old, new in zip(moving, now, strict=True):
            np.testing.assert_array_equal(new, old)
    assert trainable(unfreeze(model)) == before


def test_a_part_that_the_user_froze_stays_frozen():
    model = nest()
    model.get_layer("both").trainable = False
    before = trainable(model)
    assert trainable(unfreeze(freeze(model))) == before
    # A fixed layer that two others share is fixed afterwards, too.
    shared = layers.Dense(2, trainable=False, name="shared")
    image = keras.Input((2,))
    parts = [keras.Sequential([shared], name=name) for name in "ab"]
    model = keras.Model(image, layers.Dense(1)(parts[1](parts[0](image))))
    before = trainable(model)
    assert trainable(unfreeze(freeze(model))) == before
    assert len(before) == 2


@pytest.mark.parametrize("part", ["model", "encoder"])
def test_the_fixed_layer_of_an_fcn_stays_fixed(part):
    encoder = small_encoder(width=4)
    model = fcn(3, stride=32, backbone=encoder, up="transposed")
    before = trainable(model)
    assert not [path for path in before if "upscore32" in path]
    freeze(model if part == "model" else encoder)
    assert trainable(unfreeze(model)) == before


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


def two_variables():
    return [keras.Variable(np.zeros(1, "float32"), name=name) for name in ("body", "score")]


def test_a_factor_that_fits_nothing_is_refused():
    variables = two_variables()
    LayerwiseSGD({"score": 10.0, "bod": 0.5}).build(variables)
    with pytest.raises(ValueError, match=r"factors\['scroe'\] must be .* to train are body, score"):
        LayerwiseSGD({"scroe": 10.0}).build(variables)
    with pytest.raises(ValueError, match=r"factors\['scroe'\] must be for a part"):
        LayerwiseSGD({"body": 2.0, "scroe": 10.0}).apply([np.ones(1, "float32")] * 2, variables)


@pytest.mark.parametrize("given", [True, False])
def test_each_way_to_apply_scales(given):
    variables = two_variables()
    optimizer = LayerwiseSGD({"score": 8.0}, learning_rate=0.5)
    optimizer.build(variables)
    grads = [np.ones(1, "float32"), np.ones(1, "float32")]
    optimizer.apply(grads, *([variables] if given else []))
    assert [float(variable.numpy()[0]) for variable in variables] == [-0.5, -4.0]


def test_layerwise_adamw_takes_the_steps_of_adamw_times_a_factor():
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    changes = []
    for make in (keras.optimizers.AdamW, lambda **k: LayerwiseAdamW({"body": 0.25}, **k)):
        model = keras.Sequential(
            [keras.Input((2,)), layers.Dense(2, name="body"), layers.Dense(1, name="score")]
        )
        model.set_weights([np.full((2, 2), 0.5), np.zeros(2), np.full((2, 1), 0.25), np.zeros(1)])
        start = snapshot(model)
        schedule = keras.optimizers.schedules.ExponentialDecay(2**-6, 1, 0.5)
        model.compile(make(learning_rate=schedule, weight_decay=0.0, use_ema=True), "mse")
        model.train_on_batch(x, y)
        changes.append([w.numpy() - s for w, s in zip(model.weights, start, strict=True)])
    for i, factor in enumerate((0.25, 0.25, 1, 1)):
        np.testing.assert_allclose(changes[1][i], factor * changes[0][i], rtol=1e-4, atol=1e-8)
    assert np.abs(changes[0][0]).max() > 1e-2


def test_layerwise_adamw_saves_and_refuses_what_fits_nothing():
    config = keras.saving.serialize_keras_object(LayerwiseAdamW({"body": 0.1}, weight_decay=0.5))
    loaded = keras.saving.deserialize_keras_object(config)
    assert (loaded.factors, loaded.weight_decay) == ({"body": 0.1}, 0.5)
    with pytest.raises(ValueError, match=r"factors\['boy'\] must be for a part"):
        LayerwiseAdamW({"boy": 0.1}).build(two_variables())


def test_the_schedule_runs_inside_a_compiled_step():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(Poly(0.1, decay_steps=2, warmup_steps=2)), "mse")
    x = np.ones((4, 2), "float32")
    start = snapshot(model)
    model.train_on_batch(x, np.ones((4, 1), "float32"))
    assert changed(model, start) == []
    model.train_on_batch(x, np.ones((4, 1), "float32"))
    assert changed(model, start)
    assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.1)


def _regression():
    """A compiled model of known weights, and three batches."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(Poly(0.1, 7)), "mse", jit_compile=False)
    draw = np.random.default_rng(0).normal
    batches = [(draw(size=(5, 4)), draw(size=(5, 1))) for _ in range(3)]
    return model, batches


class _Batches(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def test_steps_are_those_of_fit():
    by_fit, batches = _regression()
    history = by_fit.fit(_Batches(batches), epochs=2, shuffle=False, verbose=0)
    by_steps, _ = _regression()
    loss = take_steps(by_steps, batches, 6)
    assert loss == pytest.approx(history.history["loss"][-1], rel=1e-5)
    for a, b in zip(by_steps.get_weights(), by_fit.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert int(by_steps.optimizer.iterations) == 6


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_steps_may_end_within_a_pass(steps):
    model, batches = _regression()
    loss = take_steps(model, batches, steps)
    assert int(model.optimizer.iterations) == steps
    again, _ = _regression()
    losses = []
    for step in range(steps):
        again.reset_metrics()
        losses.append(float(again.train_on_batch(*batches[step % 3])))
    assert loss == pytest.approx(np.mean(losses[(steps - 1) // 3 * 3 :]), rel=1e-5)


@pytest.mark.parametrize(("count", "steps", "named"), [(3, 0, "steps=0"), (0, 2, "batches")])
def test_steps_and_batches_must_be_there(count, steps, named):
    model, batches = _regression()
    with pytest.raises(ValueError, match=named):
        take_steps(model, batches[:count], steps)


def test_after_prepare_the_first_step_creates_no_variable():
    pictures = harness.picture(16, 16, batch=2)
    masks = 2 * [(pictures[..., 0] * 3).astype("int32")]
    joined = join([fcn(3, backbone=small_encoder(width=4)) for _ in masks])
    joined.compile(keras.optimizers.Adam(0.01), [CrossEntropy(), Dice()])

    def created():
        return len(joined.optimizer.variables), len(joined.metrics_variables)

    before = created()
    prepare(joined, pictures, masks)
    prepared = created()
    joined.train_on_batch(pictures, masks)
    assert min(np.subtract(prepared, before)) > 0
    assert created() == prepared


def test_a_model_that_is_not_built_takes_steps():
    pictures = harness.picture(8, 8, batch=2)
    model = keras.Sequential([layers.Conv2D(3, 1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), CrossEntropy())
    masks = (pictures[..., 0] * 3).astype("int32")
    take_steps(model, [(pictures, masks)], 2)
    assert len(model.trainable_variables) == 2
    assert model.optimizer.iterations == 2


def test_joined_networks_train_as_each_would_alone():
    pictures = harness.picture(16, 16, batch=4)
    masks = (pictures[..., 0] * 3).astype("int32")
    losses = [CrossEntropy(), Dice()]

    def networks():
        keras.utils.set_random_seed(1)
        return [fcn(3, backbone=small_encoder(width=4), dropout=0.0) for _ in losses]

    alone = networks()
    for model, loss in zip(alone, losses, strict=True):
        model.compile(keras.optimizers.Adam(0.01), loss)
        take_steps(model, [(pictures, masks)], 3)
    together = networks()
    joined = join(together)
    joined.compile(keras.optimizers.Adam(0.01), losses)
    take_steps(joined, [(pictures, (masks, masks))], 3)
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            a, b = map(ops.convert_to_numpy, (a, b))
            np.testing.assert_allclose(a, b, atol=1e-4)


def test_there_must_be_a_network_to_join():
    with pytest.raises(ValueError, match="models must hold a model"):
        join([])

"""What the papers use in training and Keras does not have."""

import itertools

import keras
from keras import layers, ops

from segbook.checks import SHOWN

REMEMBERED = "trainable_before_freeze"  # the attribute in which a layer remembers


@keras.saving.register_keras_serializable(package="segbook")
class Poly(keras.optimizers.schedules.PolynomialDecay):
    """The poly schedule: Keras's `PolynomialDecay` to zero, after a linear warm-up.

    After `t` steps the rate is `initial_learning_rate * (1 - t / decay_steps) ** power`. DeepLab v2
    (Chen et al., 2017), section 4.1. The warm-up comes before, as in Keras's `CosineDecay`: in it
    the rate rises linearly from zero, and all takes `warmup_steps + decay_steps` steps.

    Args:
        initial_learning_rate: Learning rate where the decay begins.
        decay_steps: Number of steps of the decay.
        power: Exponent; the papers have 0.9.
        warmup_steps: Number of steps of the warm-up.

    Raises:
        ValueError: If there is no step of decay, or a negative number of steps of warm-up.
    """

    def __init__(self, initial_learning_rate, decay_steps, *, power=0.9, warmup_steps=0):
        if decay_steps < 1:
            raise ValueError(f"decay_steps={decay_steps} must be 1 or more.")
        if warmup_steps < 0:
            raise ValueError(f"warmup_steps={warmup_steps} must be 0 or more.")
        super().__init__(
            float(initial_learning_rate), decay_steps, end_learning_rate=0.0, power=power
        )
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        """Return the learning rate at a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        decayed = super().__call__(ops.maximum(step - self.warmup_steps, 0.0))
        if not self.warmup_steps:
            return decayed
        rising = self.initial_learning_rate * step / self.warmup_steps
        return ops.where(step < self.warmup_steps, rising, decayed)

    def get_config(self):
        """Return the configuration of the schedule."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "power": self.power,
            "warmup_steps": self.warmup_steps,
        }

    @classmethod
    def from_config(cls, config):
        """Make the schedule of a configuration, also of one saved by version 0.1.0."""
        if "steps" in config:
            return cls(
                config["rate"],
                config["steps"] - config["warmup"],
                power=config["power"],
                warmup_steps=config["warmup"],
            )
        return cls(**config)


def take_steps(model, batches, steps):
    """Train a compiled model for a number of steps, whatever the length of an epoch.

    The body of `fit`, without callbacks and validation, and without what they cost: a page makes
    many short trainings, and after each one `fit` on TensorFlow may wait for its input pipeline.

    Args:
        model: A compiled Keras model.
        batches: Batches `(images, masks)`, such as those of `pipeline.batches`; gone through again
            as often as it takes.
        steps: Number of steps.

    Returns:
        The mean loss since the last beginning of the batches, a float.

    Raises:
        ValueError: If there is no step to take, or no batch.
    """
    if steps < 1:
        raise ValueError(f"steps={steps} must be 1 or more.")
    taken = 0
    while taken < steps:
        losses = []
        for images, masks in itertools.islice(batches, steps - taken):
            if not model.optimizer.built:
                prepare(model, images, masks)
            model.reset_metrics()  # Keras 3.8 gives the mean loss since the last reset
            losses.append(model.train_on_batch(images, masks, return_dict=True)["loss"])
        if not losses:
            raise ValueError("batches must hold a batch; a generator is empty after one pass.")
        taken += len(losses)
    return float(sum(losses) / len(losses))


def prepare(model, images, masks):
    """Create what the first step of a training would create.

    TensorFlow traces a step that creates variables twice, which takes seconds. They are those of
    the optimizer and, if the model has several outputs, the mean of each one's loss.

    Args:
        model: A compiled Keras model.
        images: Pictures, as a step would get them.
        masks: Masks; a list or tuple of them if the model has several outputs.
    """
    if not model.built:
        model(images, training=False)
    model.optimizer.build(model.trainable_variables)
    if len(getattr(model, "outputs", ())) > 1:
        model.compute_loss(images, masks, model(images, training=False))


def join(models):
    """Join networks into one model, to train them all at one go.

    It has an output for each, so `compile` takes a list of losses and `pipeline.batches` the number
    of networks as `outputs`. The networks share no weight, and the loss is the sum of theirs: the
    gradient of each is its own. Adam and SGD work weight by weight, so to each network it is a
    training of its own, with the same pictures for all. (Clipping by the global norm would tie them
    together.) Several cores work at several networks, where one small network keeps only one busy.

    Args:
        models: Keras models with one input, of the same shape, and one output. Their weights stay
            theirs: the models themselves are trained.

    Returns:
        A `keras.Model` from a picture to the list of their outputs.

    Raises:
        ValueError: If there is no model.
    """
    if not models:
        raise ValueError("models must hold a model.")
    # A model takes no two layers of one name, and `unet()` twice gives two models named "unet".
    image = keras.Input(models[0].input.shape[1:])
    inside = [keras.Model(model.input, model.output) for model in models]
    return _Joined(image, [model(image) for model in inside], name="joined")


class _Joined(keras.Model):
    """A model of networks whose variables may have the same paths."""

    def zero_grad(self, *args, **kwargs):
        """Clear the gradients; Keras calls it before each step on PyTorch.

        There it finds parameters by the paths of variables, so of two that share one it would clear
        the last alone, and the gradients of the other would add up from step to step.
        """
        for layer in self.layers:
            layer.zero_grad(*args, **kwargs)


def freeze(model):
    """Freeze a model, the moving statistics of its batch normalisation included.

    In Keras, batch normalisation that is not trainable also uses its moving statistics and leaves
    them alone. Freeze before you compile: a compiled model keeps training what it was compiled
    with. Each layer remembers whether it was trainable, for `unfreeze`; a saved model does not.

    Args:
        model: A model or layer, such as `model.get_layer("resnet50")`.

    Returns:
        The same model.
    """
    found = nested_layers(model)
    _remember(found)
    for layer in found:
        layer.trainable = False
    return model


def unfreeze(model, *, batch_norm=True):
    """Undo `freeze`, for batch normalisation only on request.

    What was not trainable before `freeze` stays so, such as FCN's fixed bilinear up-sampling. So
    does what was frozen in another way, or before the model was saved: set `layer.trainable = True`
    there.

    Small batches give poor statistics, so a pretrained encoder is often tuned with its batch
    normalisation frozen. Compile again afterwards.

    Args:
        model: A model or layer.
        batch_norm: Whether batch normalisation is trained too. False freezes all of it that is in
            the model, until `unfreeze(model)`.

    Returns:
        The same model.
    """
    found = nested_layers(model)
    kept = [
        layer for layer in found if isinstance(layer, layers.BatchNormalization) and not batch_norm
    ]
    _remember(kept)
    kept = {id(layer) for layer in kept}
    before = [
        id(layer) not in kept and getattr(layer, REMEMBERED, layer.trainable) for layer in found
    ]
    # A layer sets what is inside it, too: first all that is trainable, then the rest.
    for layer, trainable in sorted(zip(found, before, strict=True), key=lambda pair: not pair[1]):
        layer.trainable = trainable
    for layer in found:
        if id(layer) not in kept and hasattr(layer, REMEMBERED):
            delattr(layer, REMEMBERED)
    return model


def _remember(found):
    """Note of layers that are not frozen yet whether they are trainable."""
    for layer in found:
        if not hasattr(layer, REMEMBERED):
            setattr(layer, REMEMBERED, layer.trainable)


def nested_layers(layer):
    """List a layer or model and all layers inside it, at any depth.

    Args:
        layer: A model, or any layer: a wrapper and a layer with layers of its own have some inside.

    Returns:
        A list of layers, each once.
    """
    # Keras has no public way into a layer that is no model; this one is as old as Keras 3.
    return layer._flatten_layers()


class _Layerwise:
    """Keep a factor on the learning rate for each variable; the base of two optimizers."""

    def __init__(self, factors, **kwargs):
        super().__init__(**kwargs)
        for part, factor in factors.items():
            if factor < 0:
                raise ValueError(f"factors[{part!r}]={factor} must be 0 or more.")
        self.factors = dict(factors)

    def build(self, variables):
        """Note each variable's factor."""
        super().build(variables)
        paths = [variable.path for variable in variables]
        for part in self.factors:
            if paths and not any(part in path for path in paths):
                raise ValueError(
                    f"factors[{part!r}] must be for a part of a variable's path; the variables to "
                    f"train are {', '.join(paths[:SHOWN])}{', ...' if len(paths) > SHOWN else ''}. "
                    "Correct the name, or leave it out if its layer is frozen."
                )
        self.scales = [self._factor(variable) for variable in variables]

    def _factor(self, variable):
        matches = (factor for part, factor in self.factors.items() if part in variable.path)
        return next(matches, 1.0)

    def get_config(self):
        """Return the configuration of the optimizer."""
        return {**super().get_config(), "factors": self.factors}


@keras.saving.register_keras_serializable(package="segbook")
class LayerwiseSGD(_Layerwise, keras.optimizers.SGD):
    """Stochastic gradient descent with a learning rate of its own for some layers.

    DeepLab trains its new layers ten times as fast as the backbone: `factors={"score": 10.0}`.

    Args:
        factors: Factor on the learning rate by a part of a variable's path, such as the name of its
            layer; the first part that occurs in the path counts. Others have factor 1. Clipping
            sees gradients that are scaled already; weight decay is not scaled.
        **kwargs: Arguments of `keras.optimizers.SGD`.

    Raises:
        ValueError: If a factor is negative, or, when the optimizer meets the variables, if a part
            occurs in no path.
    """

    def apply(self, grads, trainable_variables=None):
        """Update the variables, each with its layer's learning rate."""
        if trainable_variables is None:
            scales = self.scales
        else:
            trainable_variables = list(trainable_variables)
            scales = [self._factor(variable) for variable in trainable_variables]
        # The step is linear in the gradients so far, so scaling them scales the learning rate.
        scaled = [
            grad if grad is None else ops.multiply(grad, scale)
            for grad, scale in zip(grads, scales, strict=True)
        ]
        super().apply(scaled, trainable_variables)


@keras.saving.register_keras_serializable(package="segbook")
class LayerwiseAdamW(_Layerwise, keras.optimizers.AdamW):
    """AdamW with a learning rate of its own for some layers.

    A pretrained encoder is often tuned at a tenth of the rate of what is new:
    `factors={v.path: 0.1 for v in encoder.trainable_variables}`. Scaling gradients, as
    `LayerwiseSGD` does, would change nothing here: Adam divides by their size.

    Args:
        factors: As for `LayerwiseSGD`. Clipping sees gradients as they are; weight decay is not
            scaled.
        **kwargs: Arguments of `keras.optimizers.AdamW`.

    Raises:
        ValueError: As `LayerwiseSGD`.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable with its layer's learning rate."""
        # As optimizers of one's own do it by Keras's documentation; here variables have no path.
        scale = self.scales[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * scale)

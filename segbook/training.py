"""What the papers use in training and Keras does not have."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="segbook")
class Poly(keras.optimizers.schedules.LearningRateSchedule):
    """The poly schedule, with a linear warm-up.

    After the warm-up the rate is `rate * (1 - t / T) ** power`, where `t` of `T` steps have passed
    since; during it, the rate rises linearly from zero. DeepLab v2 (Chen et al., 2017), section
    4.1.

    Args:
        rate: Learning rate at the end of the warm-up.
        steps: Number of steps in all, warm-up included.
        power: Exponent; the papers have 0.9.
        warmup: Number of steps of the warm-up.

    Raises:
        ValueError: If there is no step after the warm-up.
    """

    def __init__(self, rate, steps, *, power=0.9, warmup=0):
        if not 0 <= warmup < steps:
            raise ValueError(f"warmup={warmup} must be 0 or more and less than steps={steps}.")
        self.rate = rate
        self.steps = steps
        self.power = power
        self.warmup = warmup

    def __call__(self, step):
        """Return the learning rate at a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        passed = ops.clip((step - self.warmup) / (self.steps - self.warmup), 0.0, 1.0)
        decayed = self.rate * (1.0 - passed) ** self.power
        if not self.warmup:
            return decayed
        return ops.where(step < self.warmup, self.rate * step / self.warmup, decayed)

    def get_config(self):
        """Return the configuration of the schedule."""
        return {
            "rate": self.rate,
            "steps": self.steps,
            "power": self.power,
            "warmup": self.warmup,
        }


def freeze(model):
    """Freeze a model, the moving statistics of its batch normalisation included.

    In Keras, batch normalisation that is not trainable also uses its moving statistics and leaves
    them alone. Freeze before you compile: a compiled model keeps training what it was compiled
    with.

    Args:
        model: A model or layer, such as `model.get_layer("resnet50")`.

    Returns:
        The same model.
    """
    _set_trainable(model, False)
    return model


def unfreeze(model, *, batch_norm=True):
    """Make a model trainable again, its batch normalisation only on request.

    Small batches give poor statistics, so a pretrained encoder is often tuned with its batch
    normalisation still frozen. Compile again afterwards.

    Args:
        model: A model or layer.
        batch_norm: Whether batch normalisation is trained too.

    Returns:
        The same model.
    """
    _set_trainable(model, True)
    if not batch_norm:
        for layer in nested_layers(model):
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False
    return model


def _set_trainable(model, value):
    """Set `trainable` of a model and of all that is in it.

    `model.trainable = value` alone does nothing on TensorFlow if the model has this value already,
    though its layers may have the other.
    """
    model.trainable = value
    for layer in getattr(model, "layers", ()):
        _set_trainable(layer, value)


def nested_layers(model):
    """List the layers of a model, and of the models inside it.

    Args:
        model: A model, or a layer, which is listed alone.

    Returns:
        A list of layers that are no models.
    """
    if not isinstance(model, keras.Model):
        return [model]
    return [inner for layer in model.layers for inner in nested_layers(layer)]


@keras.saving.register_keras_serializable(package="segbook")
class LayerwiseSGD(keras.optimizers.SGD):
    """Stochastic gradient descent with a learning rate of its own for some layers.

    DeepLab trains its new layers ten times as fast as the backbone: `factors={"score": 10.0}`.

    Args:
        factors: Factor on the learning rate by a part of a variable's path, such as the name of its
            layer; the first part that occurs in the path counts. Others have factor 1. Clipping
            sees gradients that are scaled already; weight decay is not scaled.
        **kwargs: Arguments of `keras.optimizers.SGD`.

    Raises:
        ValueError: If a factor is negative.
    """

    def __init__(self, factors, **kwargs):
        super().__init__(**kwargs)
        for part, factor in factors.items():
            if factor < 0:
                raise ValueError(f"factors[{part!r}]={factor} must be 0 or more.")
        self.factors = dict(factors)

    def build(self, variables):
        """Note each variable's factor."""
        super().build(variables)
        self.scales = [self._factor(variable) for variable in variables]

    def _factor(self, variable):
        matches = (factor for part, factor in self.factors.items() if part in variable.path)
        return next(matches, 1.0)

    def apply(self, grads, trainable_variables=None):
        """Update the variables, each with its layer's learning rate."""
        if trainable_variables is None:
            scales = self.scales
        else:
            trainable_variables = list(trainable_variables)
            scales = [self._factor(variable) for variable in trainable_variables]
        # The step is linear in the gradients so far, so scaling them scales the learning rate.
        scaled = [
            grad if grad is None else grad * ops.cast(scale, grad.dtype)
            for grad, scale in zip(grads, scales, strict=True)
        ]
        super().apply(scaled, trainable_variables)

    def get_config(self):
        """Return the configuration of the optimizer."""
        return {**super().get_config(), "factors": self.factors}

"""Equal weights give equal outputs on TensorFlow, JAX and PyTorch.

The expected outputs are stored; `python tests/test_agreement.py` writes them anew, with whatever
backend KERAS_BACKEND names.
"""

import sys
from pathlib import Path

import harness
import numpy as np
import pytest
from test_models import TINY

from segbook import backbones

EXPECTED = Path(__file__).parent / "data" / "agreement.npz"
MODELS = {**TINY, "vgg": lambda: backbones.vgg(width=4)}


def logits(name):
    """Run a model with weights and a picture that NumPy draws alike everywhere."""
    rng = np.random.default_rng(0)
    model = MODELS[name]()
    for weight in model.weights:
        if len(weight.shape) == 4:
            value = rng.uniform(-1, 1, weight.shape) / np.sqrt(np.prod(weight.shape[:3]))
        else:
            value = rng.uniform(0.5, 1.5, weight.shape)
        weight.assign(value.astype("float32"))
    x = rng.random((2, 65, 49, 3), "float32")
    return np.concatenate([y[:, ::8, ::8].ravel() for y in harness.outputs(model, x)])


@pytest.mark.parametrize("name", MODELS)
def test_outputs_agree_with_those_stored_by_another_backend(name):
    with np.load(EXPECTED) as stored:
        expected = stored[name]
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(
        logits(name), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )


if __name__ == "__main__":
    np.savez_compressed(EXPECTED, **{name: logits(name) for name in MODELS})
    print(f"wrote {EXPECTED}", file=sys.stderr)

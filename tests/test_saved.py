"""A model saved before the module was regrouped loads, computes and scores as it did then."""

from pathlib import Path

import keras
import numpy as np
import pytest

import segbook  # noqa: F401  registers what the file names

DATA = Path(__file__).parent / "data"


@pytest.mark.skipif(keras.__version__.startswith("3.8."), reason="the file is by Keras 3.15")
def test_a_model_saved_before_the_move_still_loads():
    # Version 0.1.0, Keras 3.15: every layer, loss and metric of that day, LayerwiseSGD and Poly.
    expected = np.load(DATA / "before_the_move.npz")
    model = keras.models.load_model(DATA / "before_the_move.keras")
    x, y = expected["x"], expected["y"]
    np.testing.assert_allclose(model.predict(x, verbose=0), expected["logits"], atol=1e-4)
    scores = model.evaluate(x, y, verbose=0, return_dict=True)
    assert {*scores, "x", "y", "logits"} == set(expected)
    for name, score in scores.items():
        assert score == pytest.approx(expected[name].item(), rel=1e-4), name
    model.fit(x, y, verbose=0)

"""The dense CRF against loops over all pairs of pixels, and against what must hold for any."""

from itertools import product

import numpy as np
import pytest

from segbook import worlds
from segbook.crf import mean_field

WIDTHS = {"position_width": 2.5, "color_width": 0.3, "smoothness_width": 1.5}


def problem(height=5, width=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(height, width, classes))
    powers = np.exp(logits)
    probabilities = (powers / powers.sum(axis=-1, keepdims=True)).astype("float32")
    return rng.random((height, width, 3), dtype="float32"), probabilities


def kernel_reference(picture, position_width, color_width):
    """The normalised Gaussian of every pair of pixels, by a loop; no colour if it is None."""
    pixels = list(np.ndindex(picture.shape[:2]))
    kernel = np.zeros((len(pixels), len(pixels)))
    for (m, a), (n, b) in product(enumerate(pixels), repeat=2):
        if m != n:
            exponent = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / position_width**2
            if color_width:
                difference = picture[a].astype(float) - picture[b]
                exponent += (difference**2).sum() / color_width**2
            kernel[m, n] = np.exp(-exponent / 2)
    sums = kernel.sum(axis=1)
    for m, n in np.ndindex(kernel.shape):
        kernel[m, n] /= np.sqrt(sums[m] * sums[n])
    return kernel


def mean_field_reference(picture, probabilities, weights, iterations):
    """Algorithm 1 of the paper with the penalties of the Potts model written out."""
    kernels = [
        kernel_reference(picture, WIDTHS["position_width"], WIDTHS["color_width"]),
        kernel_reference(picture, WIDTHS["smoothness_width"], None),
    ]
    unary = -np.log(probabilities.reshape(-1, probabilities.shape[-1]).astype(float))
    beliefs = np.exp(-unary)
    count, classes = beliefs.shape
    for _ in range(iterations):
        energy = unary.copy()
        for i, label in np.ndindex(count, classes):
            for j, other in np.ndindex(count, classes):
                if other != label:
                    for weight, kernel in zip(weights, kernels, strict=True):
                        energy[i, label] += weight * kernel[i, j] * beliefs[j, other]
        beliefs = np.exp(-energy)
        beliefs /= beliefs.sum(axis=1, keepdims=True)
    return beliefs.reshape(probabilities.shape)


@pytest.mark.parametrize(
    ("weights", "iterations"), [((3, 0), 1), ((0, 2), 1), ((3, 2), 1), ((3, 2), 4), ((1, 0.5), 2)]
)
def test_equals_a_loop_over_all_pairs(weights, iterations):
    picture, probabilities = problem()
    refined = mean_field(
        picture,
        probabilities,
        appearance_weight=weights[0],
        smoothness_weight=weights[1],
        iterations=iterations,
        **WIDTHS,
    )
    expected = mean_field_reference(picture, probabilities, weights, iterations)
    assert refined.dtype == np.float32
    np.testing.assert_allclose(refined, expected, atol=1e-5)


def test_the_defaults_are_those_of_the_docstring():
    picture, probabilities = problem()
    expected = mean_field(
        picture,
        probabilities,
        appearance_weight=4.0,
        position_width=10.0,
        color_width=0.05,
        smoothness_weight=1.0,
        smoothness_width=1.0,
        iterations=5,
    )
    np.testing.assert_array_equal(mean_field(picture, probabilities), expected)
    longer = mean_field(picture, probabilities, iterations=6)
    assert np.abs(longer - expected).max() > 1e-6  # so that the number of updates shows


@pytest.mark.parametrize(
    "options", [{"iterations": 0}, {"appearance_weight": 0, "smoothness_weight": 0}]
)
def test_without_neighbours_the_unary_comes_back(options):
    picture, probabilities = problem(7, 4)
    np.testing.assert_allclose(
        mean_field(picture, probabilities, **options), probabilities, atol=1e-6
    )


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 9, 3), (12, 10, 9)])
def test_beliefs_are_probabilities(shape):
    refined = mean_field(*problem(*shape))
    assert refined.shape == shape
    assert refined.min() >= 0
    np.testing.assert_allclose(refined.sum(axis=-1), 1, atol=1e-5)


def test_certain_and_impossible_labels_stay_finite():
    picture, _ = problem(4, 4)
    sure = np.eye(3)[np.arange(16).reshape(4, 4) % 3]
    assert np.isfinite(mean_field(picture, sure)).all()


def test_classes_may_change_places():
    picture, probabilities = problem()
    order = [2, 0, 1]
    np.testing.assert_allclose(
        mean_field(picture, probabilities[..., order]),
        mean_field(picture, probabilities)[..., order],
        atol=1e-6,
    )


def test_a_lone_doubt_follows_its_surface_not_its_neighbour():
    """Two surfaces side by side; a pixel at the border is wrong, and its colour says so."""
    picture = np.zeros((8, 8, 3), "float32")
    picture[:, 4:] = 1
    probabilities = np.full((8, 8, 2), 0.1, "float32")
    probabilities[:, :4, 0] = probabilities[:, 4:, 1] = 0.9
    probabilities[3, 3] = [0.4, 0.6]
    refined = mean_field(picture, probabilities).argmax(axis=-1)
    np.testing.assert_array_equal(refined, picture[..., 0] > 0.5)


def test_repairs_a_blurred_street():
    """Truth shrunk by 8 and enlarged again: the colours tell where the edges were."""
    street = worlds.streets(1, size=64, seed=3)
    coarse = street.masks[0, 4::8, 4::8].repeat(8, axis=0).repeat(8, axis=1)
    probabilities = 0.4 * np.eye(9)[coarse] + 0.6 / 9
    refined = mean_field(street.images[0], probabilities).argmax(axis=-1)
    right = [(answer == street.masks[0]).mean() for answer in (coarse, refined)]
    assert right[1] > right[0] + 0.02


PICTURE, PROBABILITIES = problem()


@pytest.mark.parametrize(
    ("picture", "probabilities", "options", "message"),
    [
        (PICTURE[None], PROBABILITIES, {}, "picture of shape (1, 5, 6, 3)"),
        (PICTURE * 255, PROBABILITIES, {}, "picture with values from"),
        (PICTURE, PROBABILITIES[:4], {}, "probabilities of shape (4, 6, 3) must be"),
        (PICTURE, PROBABILITIES[..., 0], {}, "probabilities of shape (5, 6) must be"),
        (PICTURE, np.log(PROBABILITIES), {}, "apply softmax to logits first"),
        (PICTURE, PROBABILITIES * np.nan, {}, "probabilities with values from nan"),
        (PICTURE, PROBABILITIES, {"color_width": 0}, "color_width=0 must be a positive"),
        (PICTURE, PROBABILITIES, {"smoothness_weight": -1}, "smoothness_weight=-1 must be"),
        (PICTURE, PROBABILITIES, {"iterations": -1}, "iterations=-1 must be 0 or more"),
    ],
)
def test_refuses(picture, probabilities, options, message):
    with pytest.raises(ValueError) as failure:  # noqa: PT011  the message is checked below
        mean_field(picture, probabilities, **options)
    assert message in str(failure.value)

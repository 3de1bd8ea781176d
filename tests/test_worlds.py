import hashlib

import numpy as np
import pytest
from scipy import ndimage

from segbook import worlds
from segbook.samples import Samples

FIELDS = [worlds.cells, worlds.lesions, worlds.organs, worlds.cracks, worlds.aerial]
MAKERS = [worlds.streets, worlds.digits, worlds.echo, worlds.cues, *FIELDS]
SHARES = {
    "sky": (0.1, 0.4),
    "building": (0.1, 0.4),
    "road": (0.2, 0.4),
    "pavement": (0.03, 0.15),
    "tree": (0.03, 0.12),
    "car": (0.03, 0.1),
    "person": (0.004, 0.012),
    "pole": (0.008, 0.025),
    "marking": (0.015, 0.04),
}


def digest(*arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def levels(images):
    return np.rint(images * 255).astype(np.uint8)


def share(samples, name):
    return (samples.masks == samples.task.class_names.index(name)).mean()


@pytest.fixture(scope="module")
def scenes():
    return worlds.streets(60)


@pytest.mark.parametrize(
    ("make", "size", "expected"),
    [
        (worlds.streets, 96, "08866fa68c36b80d"),
        (worlds.streets, (192, 256), "e9526640f7885777"),
        (worlds.digits, 96, "21b98c949cee2649"),
        (worlds.digits, (64, 80), "4a0b2628fe31d20b"),
        (worlds.echo, 64, "8378941effb65209"),
        (worlds.echo, (48, 96), "2a159efadf1b443d"),
        (worlds.cues, 64, "9ba141663e822c03"),
        (worlds.cues, (48, 96), "98c4571a92860f9f"),
        (worlds.cells, 128, "681f3555a5e1aa03"),
        (worlds.cells, (48, 96), "4950b928813d6577"),
        (worlds.lesions, 128, "825485f0e2c191ff"),
        (worlds.lesions, (48, 96), "56c119f1f0750d23"),
        (worlds.organs, 128, "bcb137a46d4b8e8d"),
        (worlds.organs, (48, 96), "8abe436d120585f8"),
        (worlds.cracks, 128, "7c8508eced9127a9"),
        (worlds.cracks, (48, 96), "e5d765b41f08f526"),
        (worlds.aerial, 256, "c3396daf1c153ae1"),
        (worlds.aerial, (48, 96), "cf7011802bd74e86"),
    ],
)
def test_same_bytes_on_every_machine(make, size, expected):
    samples = make(3, size=size, seed=5)
    assert digest(levels(samples.images), samples.masks) == expected


@pytest.mark.parametrize(("size", "expected"), [(32, "f289d0417df25734"), (20, "4db7de1010b0f313")])
def test_same_crops_on_every_machine(size, expected):
    images, classes = worlds.digit_crops(9, size=size, seed=5)
    assert digest(levels(images), classes) == expected


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("size", "shape"), [(64, (64, 64)), ((40, 57), (40, 57))])
def test_samples_keep_the_conventions(make, size, shape):
    samples = make(2, size=size)
    assert isinstance(samples, Samples)
    assert samples.images.dtype == np.float32
    assert samples.images.shape == (2, *shape, 3)
    assert samples.masks.dtype == np.uint8
    assert samples.masks.shape == (2, *shape)
    assert samples.masks.max() < samples.task.num_classes
    assert samples.task.palette.shape == (samples.task.num_classes, 3)
    # Pictures are k/255 exactly, so that saving one as PNG loses nothing.
    exact = levels(samples.images) / np.float32(255)
    np.testing.assert_array_equal(samples.images, exact)


@pytest.mark.parametrize("make", MAKERS)
def test_a_picture_does_not_depend_on_the_count(make):
    few, many = make(2, seed=3), make(4, seed=3)
    np.testing.assert_array_equal(few.images, many.images[:2])
    np.testing.assert_array_equal(few.masks, many.masks[:2])


@pytest.mark.parametrize("make", MAKERS)
def test_seeds_and_pictures_differ(make):
    pictures = np.concatenate([levels(make(3, seed=seed, noise=0).images) for seed in (0, 1)])
    assert len(np.unique(pictures.reshape(6, -1), axis=0)) == 6


def test_crops_do_not_depend_on_the_count():
    few, many = worlds.digit_crops(2, seed=3), worlds.digit_crops(4, seed=3)
    np.testing.assert_array_equal(few[0], many[0][:2])
    np.testing.assert_array_equal(few[1], many[1][:2])


@pytest.mark.parametrize(
    ("make", "small", "agree"),
    [
        (worlds.streets, 96, 0.97),
        (worlds.digits, 48, 0.97),
        (worlds.echo, 64, 0.99),
        (worlds.cues, 64, 0.99),
        (worlds.cells, 128, 0.99),
        (worlds.lesions, 96, 0.99),
        (worlds.organs, 96, 0.99),
        (worlds.cracks, 128, 0.99),
    ],
)
def test_every_size_shows_the_same_scene(make, small, agree):
    # At three times the size the middle of each 3 x 3 block is where the small pixel's centre is.
    coarse, fine = make(6, size=small), make(6, size=3 * small)
    assert (coarse.masks == fine.masks[:, 1::3, 1::3]).mean() > agree


@pytest.mark.parametrize("name", SHARES)
def test_streets_class_shares(scenes, name):
    low, high = SHARES[name]
    assert low < share(scenes, name) < high
    present = (scenes.masks == scenes.task.class_names.index(name)).any((1, 2))
    assert present.mean() > 0.9


@pytest.mark.parametrize("size", [(1820, 64), (64, 1200)])
def test_streets_tall_and_wide(size):
    samples = worlds.streets(1, size=size)
    assert samples.masks.shape == (1, *size)
    assert len(np.unique(samples.masks)) >= 6


def test_streets_class_order(scenes):
    assert scenes.task.class_names == tuple(SHARES)


@pytest.mark.parametrize("name", ["car", "person", "pole"])
def test_streets_density(name):
    shares = [share(worlds.streets(20, density=density), name) for density in (0, 0.5, 1, 2)]
    assert shares[0] == 0
    assert shares == sorted(set(shares))


def test_streets_rarity_leaves_the_rest_alone(scenes):
    rare, none = worlds.streets(60, rarity=0.7), worlds.streets(60, rarity=1)
    for name in ("person", "pole"):
        assert share(rare, name) < 0.6 * share(scenes, name)
        assert share(none, name) == 0
    small = [scenes.task.class_names.index(name) for name in ("person", "pole")]
    elsewhere = ~np.isin(scenes.masks, small)
    np.testing.assert_array_equal(none.masks[elsewhere], scenes.masks[elsewhere])


def test_streets_light():
    dusk, noon = worlds.streets(6, light=(0, 0)), worlds.streets(6, light=(1, 1))
    np.testing.assert_array_equal(dusk.masks, noon.masks)
    assert (dusk.images.mean((1, 2, 3)) < 0.8 * noon.images.mean((1, 2, 3))).all()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("sigma", [0.02, 0.06])
def test_noise_has_the_deviation_asked_for(make, sigma):
    clean, noisy = make(4, noise=0), make(4, noise=sigma)
    np.testing.assert_array_equal(clean.masks, noisy.masks)
    inner = (clean.images > 3 * sigma) & (clean.images < 1 - 3 * sigma)
    difference = (noisy.images - clean.images)[inner]
    assert abs(difference.mean()) < 0.002
    # Rounding adds a little: each picture is off by at most half of 1/255.
    assert difference.std() == pytest.approx(sigma, rel=0.05)


def test_streets_scale_range():
    def sizes(scale_range):
        """Return heights of cars in the pictures' middle columns, in pixels."""
        masks = worlds.streets(40, scale_range=scale_range, density=0.4, rarity=1).masks == 5
        heights = masks.sum(1)
        return heights[heights > 0]

    narrow, wide = sizes(1), sizes(8)
    assert wide.std() / wide.mean() > 1.2 * narrow.std() / narrow.mean()
    assert wide.max() > 1.5 * narrow.max()


def test_streets_look_alike():
    def contrast(look_alike):
        """Return the distance between the mean colours of road and pavement."""
        samples = worlds.streets(20, look_alike=look_alike, light=(1, 1))
        road, pavement = (samples.images[samples.masks == label].mean(0) for label in (2, 3))
        return np.abs(road - pavement).mean()

    assert contrast(0) > 1.2 * contrast(0.5) > 1.4 * contrast(1)


def test_digits_use_their_own_handwriting():
    train, test = worlds.digits(4), worlds.digits(4, split="test")
    assert (train.masks != test.masks).any((1, 2)).all()


def test_splits_share_no_glyph():
    from segbook.worlds.digits import _handwriting

    train, test = (_handwriting(split) for split in ("train", "test"))
    assert (len(train[0]), len(test[0])) == (1200, 597)
    together = np.concatenate([train[0], test[0]]).reshape(1797, -1)
    assert len(np.unique(together, axis=0)) == 1797
    assert (np.bincount(test[1]) > 50).all()


def test_glyphs_keep_their_pixels():
    from sklearn.datasets import load_digits

    from segbook.worlds.digits import _handwriting

    # Bicubic interpolation passes near the mean of the four samples around a cell's middle.
    cells = _handwriting("train")[0][:, 8:72, 8:72].reshape(-1, 8, 8, 8, 8)
    middles = cells[:, :, 3:5, :, 3:5].mean((2, 4))
    assert np.abs(middles - load_digits().images[:1200] / 16).max() < 0.08


def test_digits_class_names_and_shares():
    samples = worlds.digits(100)
    assert samples.task.class_names == ("background", *"0123456789")
    shares = np.bincount(samples.masks.ravel(), minlength=11) / samples.masks.size
    assert 0.8 < shares[0] < 0.95
    assert (shares[1:] > 0.005).all()


def test_digits_number_and_scale():
    one = worlds.digits(12, number=(1, 1))
    assert all(len(np.unique(mask)) == 2 for mask in one.masks)
    many = worlds.digits(12, number=(6, 8), scale=(0.2, 0.25))
    assert np.mean([len(np.unique(mask)) for mask in many.masks]) > 4
    small, large = (worlds.digits(12, number=(1, 1), scale=(s, s)) for s in (0.2, 0.8))
    ratio = (large.masks > 0).mean() / (small.masks > 0).mean()
    assert ratio == pytest.approx(16, rel=0.15)


def test_crops():
    images, classes = worlds.digit_crops(440, size=24, noise=0)
    assert images.dtype == np.float32
    assert images.shape == (440, 24, 24, 3)
    assert classes.dtype == np.uint8
    counts = np.bincount(classes, minlength=11)
    assert counts.size == 11
    assert counts.min() > 20
    assert 0 <= images.min() < images.max() <= 1


def test_crops_can_be_told_apart():
    from sklearn.neighbors import KNeighborsClassifier

    def features(split, count):
        images, classes = worlds.digit_crops(count, size=16, split=split, texture=0, noise=0)
        grey = np.abs(images.mean(3) - np.median(images.mean(3), (1, 2), keepdims=True))
        grey /= grey.max((1, 2), keepdims=True) + 0.1
        return grey.reshape(count, -1), classes

    classifier = KNeighborsClassifier(1).fit(*features("train", 3000))
    assert classifier.score(*features("test", 300)) > 0.7


def test_echo_label_follows_the_cue():
    samples = worlds.echo(40, noise=0)
    names = samples.task.class_names
    warm, cold = names.index("warm"), names.index("cold")
    seen = set()
    for image, mask in zip(samples.images, samples.masks, strict=True):
        red, _, blue = image[mask == names.index("cue")].mean(0)
        expected = warm if red > blue else cold
        assert set(np.unique(mask)) == {0, names.index("cue"), expected}
        seen.add(expected)
    assert seen == {warm, cold}


@pytest.mark.parametrize("size", [64, (48, 96)])
@pytest.mark.parametrize("distance", [0.1, 0.3, 0.45])
def test_echo_distance(distance, size):
    samples = worlds.echo(10, size=size, distance=distance)
    width = samples.masks.shape[2]
    columns = np.arange(width) + 0.5
    cue = (samples.masks == 1).sum((0, 1))
    assert (columns * cue).sum() / cue.sum() == pytest.approx(width * (0.5 - distance), abs=0.6)
    assert not (samples.masks[:, :, : width // 2] > 1).any()
    assert (samples.masks == 1).any((1, 2)).all()


def halves(image, inside):
    """Return the colours of the left and the right half of what is marked, side by side."""
    columns = np.arange(inside.shape[1])
    middle = columns[inside.any(axis=0)].mean()
    sides = inside & (columns < middle - 1), inside & (columns > middle + 1)
    return np.concatenate([np.median(image[side], axis=0) for side in sides])


@pytest.fixture(scope="module")
def many_cues():
    return worlds.cues(60, 96, noise=0)


def test_cues_label_a_shape_by_the_dot_on_the_disc_of_its_two_colours(many_cues):
    names = many_cues.task.class_names
    seen = []
    for image, mask in zip(many_cues.images, many_cues.masks, strict=True):
        discs, count = ndimage.label(mask == names.index("cue"))
        assert count == 4
        pairs, lights = [], []
        for disc in range(1, count + 1):
            rows, columns = np.nonzero(discs == disc)
            lights.append(image[int(rows.mean()), int(columns.mean())].mean() > 0.5)
            inside = ndimage.binary_erosion(discs == disc)
            pairs.append(halves(image, inside & (np.ptp(image, axis=-1) > 0.5)))
        assert sum(lights) == 2
        shapes = mask > names.index("cue")
        assert not shapes[:, : mask.shape[1] // 2].any()
        for cell in range(6):
            box = (
                slice(32 * (cell // 2), 32 * (cell // 2 + 1)),
                slice(48 + 24 * (cell % 2), 72 + 24 * (cell % 2)),
            )
            if not shapes[box].any():
                continue
            pair = halves(image[box], ndimage.binary_erosion(shapes[box]))
            nearest = np.abs(np.subtract(pairs, pair)).sum(-1).argmin()
            assert set(mask[box][shapes[box]]) == {2 if lights[nearest] else 3}
            seen.append(lights[nearest])
    assert 0.3 < np.mean(seen) < 0.7


def test_cues_say_which_disc_belongs_to_which_shape(many_cues):
    for image, mask, pairs, light in zip(
        many_cues.images, many_cues.masks, many_cues.pairs, many_cues.light, strict=True
    ):
        assert ((pairs == 255) == (mask == 0)).all()
        assert light.sum() == 2
        colours = []
        for pair in range(4):
            disc, shapes = (mask == 1) & (pairs == pair), (mask > 1) & (pairs == pair)
            assert ndimage.label(disc)[1] == 1
            rows, columns = np.nonzero(disc)
            assert (image[int(rows.mean()), int(columns.mean())].mean() > 0.5) == light[pair]
            assert set(mask[shapes]) <= {2 if light[pair] else 3}
            coloured = np.ptp(image, axis=-1) > 0.5
            colours.append(halves(image, ndimage.binary_erosion(disc) & coloured).reshape(2, 3))
            for shape in range(1, ndimage.label(shapes)[1] + 1):
                inside = ndimage.binary_erosion(ndimage.label(shapes)[0] == shape)
                near = halves(image, inside).reshape(2, 3)
                np.testing.assert_allclose(near, colours[pair], atol=0.05)
        for half, same in ((0, [(0, 1), (2, 3)]), (1, [(0, 2), (1, 3)])):
            for one, other in same:
                np.testing.assert_allclose(colours[one][half], colours[other][half], atol=0.05)


def test_cues_are_hard_where_no_colour_alone_tells():
    samples = worlds.cues(300, size=32)
    placements = samples.light.reshape(-1, 2, 2)
    # Each left colour and each right colour is on one light disc and on one dark one.
    mixed = (placements.sum(axis=1) == 1).all(axis=-1) & (placements.sum(axis=2) == 1).all(axis=-1)
    np.testing.assert_array_equal(samples.hard, mixed)
    assert 0.25 < samples.hard.mean() < 0.42


@pytest.mark.parametrize("index", [2, slice(1, 3), [3, 0], np.array([True, False, True, False])])
def test_cues_keep_what_they_know_when_some_are_chosen(index):
    samples = worlds.cues(4, size=32)
    rows = np.atleast_1d(np.arange(4)[index])
    chosen = samples[index]
    assert len(chosen) == len(rows)
    for name in ("images", "masks", "pairs", "light", "hard"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(samples, name)[rows])


def test_cues_show_each_pair_of_two_left_and_two_right_colours(many_cues):
    for image, mask in zip(many_cues.images, many_cues.masks, strict=True):
        discs, count = ndimage.label(mask == 1)
        coloured = np.ptp(image, axis=-1) > 0.5
        pairs = [
            halves(image, ndimage.binary_erosion(discs == disc) & coloured)
            for disc in range(1, count + 1)
        ]
        rounded = np.round(pairs, 1)
        lefts, rights = (np.unique(half, axis=0) for half in (rounded[:, :3], rounded[:, 3:]))
        assert len(lefts) == len(rights) == 2
        assert len(np.unique(rounded, axis=0)) == 4


def test_echo_shapes_look_the_same_whatever_the_cue():
    samples = worlds.echo(300, noise=0)
    warm, cold = (samples.images[samples.masks == label].mean(0) for label in (2, 3))
    np.testing.assert_allclose(warm, cold, atol=0.03)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (worlds.streets, {"count": 0}, "count is 0"),
        (worlds.echo, {"count": 1.5}, "count is 1.5"),
        (worlds.streets, {"seed": -1}, "seed is -1"),
        (worlds.streets, {"size": 31}, "size is 31.*32 or more"),
        (worlds.digits, {"size": (96, 8)}, r"size is \(96, 8\)"),
        (worlds.digits, {"size": (96,)}, r"size is \(96,\)"),
        (worlds.streets, {"density": 2.1}, "density is 2.1.*between 0 and 2"),
        (worlds.streets, {"noise": -0.1}, "noise is -0.1"),
        (worlds.streets, {"noise": float("nan")}, "noise is nan"),
        (worlds.streets, {"light": (0.9, 0.2)}, r"light is \(0.9, 0.2\)"),
        (worlds.streets, {"light": 0.5}, "light is 0.5"),
        (worlds.streets, {"scale_range": 0.5}, "scale_range is 0.5.*between 1 and 16"),
        (worlds.streets, {"look_alike": 2}, "look_alike is 2"),
        (worlds.streets, {"rarity": -1}, "rarity is -1"),
        (worlds.digits, {"split": "val"}, "split is 'val'"),
        (worlds.digits, {"number": (0, 3)}, r"number is \(0, 3\)"),
        (worlds.digits, {"number": (1.5, 3)}, r"number is \(1.5, 3\).*whole"),
        (worlds.digits, {"scale": (0.2, 1.5)}, r"scale is \(0.2, 1.5\)"),
        (worlds.digits, {"texture": 3}, "texture is 3"),
        (worlds.digit_crops, {"size": 8}, "size is 8"),
        (worlds.digit_crops, {"split": ""}, "split is ''"),
        (worlds.echo, {"distance": 0.6}, "distance is 0.6.*between 0.1 and 0.45"),
        (worlds.cues, {"size": 31}, "size is 31.*32 or more"),
        (worlds.cues, {"number": (0, 3)}, r"number is \(0, 3\).*from 1 to 6"),
        (worlds.cells, {"across": 1}, "across is 1.*between 2 and 10"),
        (worlds.cells, {"touching": 2}, "touching is 2"),
        (worlds.cells, {"seam": -1}, "seam is -1"),
        (worlds.lesions, {"rate": 1.1}, "rate is 1.1.*between 0 and 1"),
        (worlds.lesions, {"number": (0, 2)}, r"number is \(0, 2\).*whole"),
        (worlds.lesions, {"radius": (0.02, 0.2)}, r"radius is \(0.02, 0.2\)"),
        (worlds.lesions, {"contrast": 0.9}, "contrast is 0.9"),
        (worlds.lesions, {"raters": 0}, "raters is 0.*from 1 to 7"),
        (worlds.lesions, {"raters": 1.5}, "raters is 1.5"),
        (worlds.lesions, {"disagreement": 2}, "disagreement is 2"),
        (worlds.organs, {"slices": 0}, "slices is 0.*from 1 to 64"),
        (worlds.organs, {"contrast": -0.1}, "contrast is -0.1"),
        (worlds.cracks, {"width": 0.1}, "width is 0.1"),
        (worlds.cracks, {"rate": -1}, "rate is -1"),
        (worlds.cracks, {"contrast": 2}, "contrast is 2"),
        (worlds.aerial, {"metres": 5}, "metres is 5.*between 0.1 and 4"),
        (worlds.aerial, {"look_alike": 2}, "look_alike is 2"),
        (worlds.aerial, {"regions": 0}, "regions is 0.*from 1 to 64"),
        (worlds.echo, {"number": (2, 7)}, r"number is \(2, 7\).*from 1 to 6"),
    ],
)
def test_errors_name_the_argument(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**({"count": 1} | arguments))


def test_film_numbers_its_cars_and_people():
    film, things = worlds.street_film(8, size=(48, 64), seed=3)
    assert film.images.shape == (8, 48, 64, 3)
    assert things.shape == film.masks.shape
    number = [film.task.class_names.index(name) for name in ("car", "person")]
    np.testing.assert_array_equal(things > 0, np.isin(film.masks, number))
    for thing in np.unique(things)[1:]:
        assert len(np.unique(film.masks[things == thing])) == 1, "a thing keeps its class"


def test_film_moves_cars_and_people_alone():
    film, things = worlds.street_film(8, size=64, seed=3, noise=0)
    first, last = film[0], film[7]
    changed = (first.masks != last.masks)[0]
    assert changed.any()
    assert not changed[(things[0] == 0) & (things[7] == 0)].any()
    np.testing.assert_array_equal(worlds.street_film(3, size=64, seed=3, noise=0)[1], things[:3])


def test_film_has_the_same_bytes_on_every_machine():
    film, things = worlds.street_film(3, size=48, seed=1)
    assert digest(levels(film.images), film.masks, things) == "1d82410035bfb4e8"


def test_film_without_anybody():
    _, things = worlds.street_film(2, size=48, density=0)
    assert not things.any()


@pytest.mark.parametrize("given", [{"frames": 0}, {"density": 3}, {"noise": -1}])
def test_film_names_what_does_not_fit(given):
    with pytest.raises(ValueError, match=f"{next(iter(given))}|count"):
        worlds.street_film(**{"frames": 2} | given)


def test_cells_are_the_pieces_of_the_mask():
    samples = worlds.cells(20, 96, touching=1)
    for mask, things in zip(samples.masks, samples.things, strict=True):
        pieces, number = ndimage.label(mask)
        assert number == things.max() == len(np.unique(things)) - 1
        for piece in range(1, number + 1):
            (owner,) = np.unique(things[pieces == piece])
            assert owner > 0
        # What a cell has besides its piece is a thin rim.
        assert ndimage.distance_transform_edt((things > 0) & (mask == 0)).max() < 3


def test_cells_touch_as_asked():
    def neighbours(touching):
        things = worlds.cells(10, 96, touching=touching).things.astype(int)
        left, right = things[:, :, :-1], things[:, :, 1:]
        return ((left != right) & (left > 0) & (right > 0)).sum()

    apart, some, sheet = (neighbours(touching) for touching in (0, 0.5, 1))
    assert 20 * apart < some < sheet


def test_cells_seam_and_number():
    faint, strong = (worlds.cells(6, 96, seam=seam, noise=0) for seam in (0, 1))
    np.testing.assert_array_equal(faint.masks, strong.masks)
    seams = (faint.things > 0) & (faint.masks == 0)
    assert strong.images[seams].mean() < 0.4 * faint.images[seams].mean()
    few, many = (worlds.cells(6, 96, across=across).things.max((1, 2)) for across in (3, 6))
    assert (2 * few < many).all()


def test_lesions_are_as_rare_as_asked():
    assert not worlds.lesions(20, 64, rate=0).masks.any()
    assert worlds.lesions(20, 64, rate=1).masks.any((1, 2)).all()
    some = worlds.lesions(400, 48, rate=0.2, radius=(0.04, 0.05)).masks.any((1, 2))
    assert some.mean() == pytest.approx(0.2, abs=0.06)  # three deviations


def test_lesions_are_separate_things():
    samples = worlds.lesions(40, 96, rate=1, number=(3, 8))
    np.testing.assert_array_equal(samples.masks, samples.things > 0)
    counts = []
    for things in samples.things:
        number = things.max()
        assert ndimage.label(things > 0, np.ones((3, 3)))[1] == number
        counts.append(number)
    assert 3 < np.mean(counts) <= 8


def test_lesions_in_agreement_and_not():
    truth = worlds.lesions(20, 96, rate=1, disagreement=0, raters=4)
    assert truth.votes.shape == (20, 4, 96, 96)
    np.testing.assert_array_equal(truth.votes, np.repeat(truth.masks[:, None], 4, 1))
    few, many = (worlds.lesions(20, 96, rate=1, disagreement=d) for d in (0.2, 1))
    np.testing.assert_array_equal(few.images, many.images)
    wrong = [(s.votes != s.masks[:, None]).mean() for s in (few, many)]
    assert 0 < 2 * wrong[0] < wrong[1]


def test_lesions_contrast_and_radius():
    flat, bright = (worlds.lesions(20, 96, rate=1, contrast=c, noise=0) for c in (0, 0.5))
    lesion = flat.masks > 0
    assert (bright.images - flat.images)[lesion].mean() > 0.15
    small, large = (worlds.lesions(20, 96, rate=1, radius=(r, r)) for r in (0.02, 0.04))
    mean = [s.masks.sum() / s.things.max((1, 2)).sum() for s in (small, large)]
    assert mean[1] / mean[0] == pytest.approx(4, rel=0.1)


def test_organs_lie_inside_each_other():
    samples = worlds.organs(40, 96)
    left = samples.masks == 3
    around = ndimage.binary_dilation(left, np.ones((1, 3, 3)))
    assert set(np.unique(samples.masks[around])) == {2, 3}
    assert {0, 1, 2, 3} == set(np.unique(samples.masks))


def test_organs_have_the_volume_of_their_formula():
    samples = worlds.organs(48, 192, slices=16)
    for patient in range(3):
        mine = samples[samples.patients == patient]
        assert len(mine) == 16
        voxel = mine.spacing[0].prod() / 1000
        assert (mine.masks == 3).sum() * voxel == pytest.approx(mine.volumes[0], rel=0.01)


def test_organs_contrast():
    def difference(contrast):
        samples = worlds.organs(16, 96, contrast=contrast, noise=0)
        ring = ndimage.binary_dilation(samples.masks > 1, np.ones((1, 5, 5)))
        beside = samples.images[ring & (samples.masks == 0)].mean()
        return beside - samples.images[samples.masks == 2].mean()

    assert difference(1) > 1.3 * difference(0.3) > 0


@pytest.mark.parametrize("width", [0.012, 0.03])
def test_cracks_are_thin_and_on_the_bone(width):
    samples = worlds.cracks(20, 128, width=width)
    crack = samples.masks == 2
    assert crack.any((1, 2)).all()
    depths = np.concatenate([ndimage.distance_transform_edt(each)[each] for each in crack])
    assert np.quantile(depths, 0.95) < width * 128 / 2 + 1  # more where a branch leaves
    around = ndimage.binary_dilation(crack, np.ones((1, 3, 3)))
    assert (samples.masks[around] > 0).mean() > 0.95


def test_cracks_rate_and_contrast():
    none, all_of_them = (worlds.cracks(20, 96, rate=rate, noise=0) for rate in (0, 1))
    assert not (none.masks == 2).any()
    crack = all_of_them.masks == 2
    assert all_of_them.images[crack].mean() < 0.8 * none.images[crack].mean()
    np.testing.assert_array_equal(none.masks[~crack], all_of_them.masks[~crack])


def test_aerial_is_measured_in_metres():
    coarse, fine = worlds.aerial(4, 96, metres=1.2), worlds.aerial(4, 288, metres=0.4)
    assert (coarse.masks == fine.masks[:, 1::3, 1::3]).mean() > 0.99
    np.testing.assert_array_equal(coarse.metres, 1.2)
    wider = worlds.aerial(4, 144, metres=1.2)
    np.testing.assert_array_equal(wider.masks[:, :96, :96], coarse.masks)


def test_aerial_regions_have_looks_of_their_own():
    samples = worlds.aerial(16, 192, noise=0)
    np.testing.assert_array_equal(samples.regions, np.arange(16) % 4)
    means = np.array(
        [
            np.concatenate([image[mask == label].mean(0) for label in (0, 3)])
            for image, mask in zip(samples.images, samples.masks, strict=True)
        ]
    )
    same = [np.abs(means[r::4] - means[r::4].mean(0)).mean() for r in range(4)]
    other = [np.abs(means[r::4].mean(0) - means[r - 1 :: 4].mean(0)).mean() for r in range(4)]
    assert max(same) < 0.5 * min(other)
    for name in samples.task.class_names:
        assert share(samples, name) > 0.02


def test_aerial_look_alike():
    def contrast(look_alike):
        """Return how far roofs are from roads and soil in colour, the nearer of the two."""
        samples = worlds.aerial(8, 192, look_alike=look_alike, noise=0)
        ground, roofs, roads = (samples.images[samples.masks == k] for k in range(3))
        beside = np.stack([ground.mean(0), roads.mean(0)])
        return np.abs(roofs[::10, None] - beside).sum(-1).min(1).mean()

    assert contrast(0) > 1.3 * contrast(1)


@pytest.mark.parametrize("make", FIELDS)
def test_fields_keep_what_they_know_when_some_are_chosen(make):
    samples = make(4, size=48)
    for index in (2, slice(1, 3), [3, 0], np.array([True, False, True, False])):
        rows, chosen = np.atleast_1d(np.arange(4)[index]), samples[index]
        assert type(chosen) is type(samples)
        for name in ("masks", "things", "votes", "patients", "spacing", "volumes", "regions"):
            if hasattr(samples, name):
                expected = getattr(samples, name)[rows]
                np.testing.assert_array_equal(getattr(chosen, name), expected)

"""Detection: every step against a loop, and average precision against another method and COCO."""

import math

import keras
import numpy as np
import pytest
from backends import compilers, gradients

from segbook import detection
from segbook.detection import Found

SHAPES = [[(8, 10)], [(16, 20), (20, 16)], [(40, 50)]]
STRIDES = (8, 16, 32)


@pytest.fixture(scope="module")
def priors():
    return detection.prior_boxes((64, 96), STRIDES, SHAPES)


def random_boxes(rng, count, size=(64, 96)):
    height, width = size
    left, top = rng.uniform(-5, width - 6, count), rng.uniform(-5, height - 6, count)
    wide, tall = rng.uniform(6, 50, count), rng.uniform(6, 50, count)
    return np.stack([left, top, left + wide, top + tall], 1).astype(np.float32)


def plain_iou(a, b):
    """Count it as a child would: the common rectangle over what both cover."""
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    along = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = across * along
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


# --- boxes


@pytest.mark.parametrize(
    ("boxes", "problem"),
    [
        ([[5, 5, 5, 9]], "zero size"),
        ([[5, 5, 9, 5]], "zero size"),
        ([[9, 5, 5, 9]], "swapped corners"),
        ([[5, 9, 9, 5]], "swapped corners"),
        ([[0, 0, math.nan, 4]], "not finite"),
        ([[0, 0, math.inf, 4]], "not finite"),
        ([[96, 0, 99, 4]], "outside a picture of 64x96"),
        ([[0, -9, 9, 0]], "outside a picture of 64x96"),
        ([1, 2, 3, 4], r"must be \(n, 4\)"),
        ([[1, 2, 3]], r"must be \(n, 4\)"),
    ],
)
def test_boxes_that_are_none_are_refused_with_their_place(boxes, problem):
    with pytest.raises(ValueError, match=f"^photo.xml.*{problem}"):
        detection.check_boxes(boxes, (64, 96), where="photo.xml")


def test_an_error_names_each_wrong_box():
    boxes = [[0, 0, 4, 4], [4, 0, 0, 4], [3, 3, 3, 3]]
    with pytest.raises(ValueError, match=r"box 1 \(4, 0, 0, 4\) has swapped.*box 2 \(3, 3, 3, 3\)"):
        detection.check_boxes(boxes)


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4)), [[-4, -4, 2, 2]], [[90, 60, 200, 200]]])
def test_no_boxes_and_boxes_across_the_border_are_fine(boxes):
    checked = detection.check_boxes(boxes, (64, 96))
    assert checked.shape == (len(boxes), 4)
    assert checked.dtype == np.float32


def test_iou_equals_the_loop():
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 7), random_boxes(rng, 5)
    b[0], b[1] = a[0], [500, 500, 510, 510]
    expected = [[plain_iou(x, y) for y in b] for x in a]
    np.testing.assert_allclose(detection.box_iou(a, b), expected, atol=1e-6)


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (0, 0)])
def test_iou_of_nothing(n, m):
    assert detection.box_iou(np.ones((n, 4)), np.ones((m, 4))).shape == (n, m)


def test_iou_of_touching_and_empty_boxes():
    boxes = [[0, 0, 4, 4], [4, 0, 8, 4], [2, 2, 2, 2]]
    np.testing.assert_allclose(detection.box_iou(boxes, boxes), np.diag([1, 1, 0]), atol=1e-6)


def test_boxes_around_the_pieces_of_a_mask():
    mask = np.zeros((6, 8), np.uint8)
    mask[0:2, 0:3] = 1
    mask[3, 5] = mask[4, 6] = 2  # one piece: they touch at a corner
    mask[5, 0] = 1
    expected = [(0, 0, 3, 2), (5, 3, 7, 5), (0, 5, 1, 6)]
    np.testing.assert_array_equal(detection.boxes_of_mask(mask), expected)
    np.testing.assert_array_equal(detection.boxes_of_mask(mask, 2), [(5, 3, 7, 5)])
    assert detection.boxes_of_mask(np.zeros((4, 4))).shape == (0, 4)


# --- priors


def test_priors_equal_a_loop(priors):
    expected = []
    for stride, shapes in zip(STRIDES, SHAPES, strict=True):
        for row in range(-(-64 // stride)):
            for column in range(-(-96 // stride)):
                for wide, tall in shapes:
                    x, y = (column + 0.5) * stride, (row + 0.5) * stride
                    expected.append((x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2))
    np.testing.assert_array_equal(priors, np.array(expected, np.float32))


def test_priors_of_ssd300():
    # Liu et al. 2016, section 2.2 and 3.1: 8732 on maps of 38, 19, 10, 5, 3 and 1 cells a side.
    counts = (4, 6, 6, 6, 4, 4)
    shapes = [[(30, 30)] * count for count in counts]
    assert len(detection.prior_boxes((300, 300), (8, 16, 32, 64, 100, 300), shapes)) == 8732


@pytest.mark.parametrize(
    ("strides", "shapes", "problem"),
    [
        ((8, 16), [[(3, 3)]], "shapes has 1 lists"),
        ((), [], "shapes has 0 lists"),
        ((8,), [[(3, 0)]], "above 0"),
        ((8,), [[]], "above 0"),
        ((0,), [[(3, 3)]], "stride 0"),
    ],
)
def test_priors_refuse(strides, shapes, problem):
    with pytest.raises(ValueError, match=problem):
        detection.prior_boxes((64, 64), strides, shapes)


# --- matching, encoding


def plain_match(boxes, priors, iou):
    """The same rules, pair by pair."""
    table = [[plain_iou(box, prior) for prior in priors] for box in boxes]
    found = []
    for prior in range(len(priors)):
        best = max(range(len(boxes)), key=lambda box: (table[box][prior], -box))
        found.append(best if table[best][prior] > iou else -1)
    boxes_left, priors_left = set(range(len(boxes))), set(range(len(priors)))
    while boxes_left:
        pairs = ((table[b][p], -b, -p) for b in boxes_left for p in priors_left)
        _, b, p = max(pairs)
        found[-p] = -b
        boxes_left.remove(-b)
        priors_left.remove(-p)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_match_equals_the_loop(priors, seed):
    boxes = random_boxes(np.random.default_rng(seed), 6)
    expected = plain_match(boxes.tolist(), priors.tolist(), 0.5)
    np.testing.assert_array_equal(detection.match(boxes, priors), expected)


def test_every_box_gets_a_prior_even_when_two_want_the_same(priors):
    box = priors[[20]]
    matches = detection.match(np.concatenate([box, box, box + 0.5]), priors)
    assert set(matches) == {-1, 0, 1, 2}
    assert matches[20] == 0  # of equal ones the first


def test_a_box_that_no_prior_fits_has_one(priors):
    matches = detection.match(np.array([[0, 0, 2, 2]]), priors)
    assert (matches == 0).sum() == 1


def test_no_boxes_match_nothing(priors):
    assert (detection.match(np.zeros((0, 4)), priors) == -1).all()
    assert not detection.encode([[]], priors).any()
    assert detection.encode([], priors).shape == (0, len(priors), 5)


def test_more_boxes_than_priors_are_refused():
    with pytest.raises(ValueError, match="3 boxes must not be more than the 2 priors"):
        detection.match(np.ones((3, 4)), np.ones((2, 4)))


def test_offsets_by_hand():
    prior = np.array([[10, 20, 30, 60]], np.float32)  # middle (20, 40), 20 wide, 40 high
    box = np.array([[14, 20, 34, 40]], np.float32)  # middle (24, 30), 20 wide, 20 high
    target = detection.encode([box], prior)[0, 0]
    expected = [1, (24 - 20) / 20 / 0.1, (30 - 40) / 40 / 0.1, 0, math.log(20 / 40) / 0.2]
    np.testing.assert_allclose(target, expected, rtol=1e-5, atol=1e-6)


def test_decoding_undoes_encoding(priors):
    boxes = random_boxes(np.random.default_rng(3), 5)
    targets, matches = detection.encode([boxes], priors)[0], detection.match(boxes, priors)
    decoded = detection.decode(targets[None, :, 1:], priors)[0]
    positive = matches >= 0
    np.testing.assert_allclose(decoded[positive], boxes[matches[positive]], atol=1e-3)
    np.testing.assert_allclose(decoded[~positive], priors[~positive], atol=1e-4)


def test_decoding_what_no_box_has_gives_no_nan(priors):
    offsets = np.full((len(priors), 4), 1e4, np.float32)
    assert not np.isnan(detection.decode(offsets, priors)).any()


def test_classes_are_kept(priors):
    boxes = random_boxes(np.random.default_rng(1), 2)
    targets = detection.encode([boxes], priors, classes=[[3, 1]])[0]
    matches = detection.match(boxes, priors)
    assert set(targets[matches == 0, 0]) == {3}
    assert set(targets[matches == 1, 0]) == {1}
    with pytest.raises(ValueError, match="must be 2 numbers from 1 on"):
        detection.encode([boxes], priors, classes=[[0, 1]])
    with pytest.raises(ValueError, match="must be 2 numbers from 1 on"):
        detection.encode([boxes], priors, classes=[[1]])


def test_encode_names_the_file():
    with pytest.raises(ValueError, match=r"7\.xml: box 0 .* swapped"):
        detection.encode([[], [[9, 0, 0, 9]]], np.ones((2, 4)), names=["6.xml", "7.xml"])


def test_several_pictures_are_encoded_as_one_by_one(priors, monkeypatch):
    rng = np.random.default_rng(8)
    boxes = [random_boxes(rng, count) for count in (3, 0, 6, 1)]
    together = detection.encode(boxes, priors)
    alone = [detection.encode([each], priors)[0] for each in boxes]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    monkeypatch.setattr(detection.priors, "AT_ONCE", 3 * len(priors))  # three boxes a call
    np.testing.assert_allclose(detection.encode(boxes, priors), together, atol=1e-5)


# --- loss


def plain_loss(y_true, y_pred, negatives, weight):
    total, boxes_of_batch = 0.0, 0
    for targets, outputs in zip(y_true, y_pred, strict=True):
        background, boxes = [], 0
        for target, output in zip(targets, outputs, strict=True):
            logits = output[4:].astype(np.float64)
            entropy = math.log(np.exp(logits).sum()) - logits[int(target[0])]
            if target[0] == 0:
                background.append(entropy)
                continue
            boxes += 1
            total += entropy
            for wanted, given in zip(target[1:], output[:4], strict=True):
                distance = abs(float(wanted) - float(given))
                total += weight * (distance**2 / 2 if distance < 1 else distance - 0.5)
        hardest = sorted(background, reverse=True)[: int(negatives * max(boxes, 1))]
        total += sum(hardest)
        boxes_of_batch += boxes
    return total / max(boxes_of_batch, 1)


def targets_and_outputs(seed, boxes=(2, 0, 5), count=40, classes=2):
    rng = np.random.default_rng(seed)
    y_true = np.zeros((len(boxes), count, 5), np.float32)
    for picture, number in enumerate(boxes):
        chosen = rng.choice(count, number, replace=False)
        y_true[picture, chosen, 0] = rng.integers(1, classes + 1, number)
        y_true[picture, chosen, 1:] = rng.normal(0, 2, (number, 4))
    y_pred = rng.normal(0, 2, (len(boxes), count, 5 + classes)).astype(np.float32)
    return y_true, y_pred


@pytest.mark.parametrize("boxes", [(2, 0, 5), (0, 0), (40, 1), (13, 14)])
@pytest.mark.parametrize(("negatives", "weight"), [(3, 1.0), (1, 0.5), (0, 2.0)])
def test_loss_equals_the_loop(boxes, negatives, weight):
    y_true, y_pred = targets_and_outputs(0, boxes)
    loss = detection.SSDLoss(negatives=negatives, offsets=weight)
    expected = plain_loss(y_true, y_pred, negatives, weight)
    for name, compiled in compilers().items():
        value = float(compiled(loss)(y_true, y_pred))
        assert value == pytest.approx(expected, rel=1e-5, abs=1e-5), name


def test_only_what_counts_has_a_gradient():
    y_true, y_pred = targets_and_outputs(1, (2, 0))
    outputs = keras.Variable(y_pred)
    (slope,) = gradients(lambda: detection.SSDLoss()(y_true, outputs), [outputs])
    assert np.isfinite(slope).all()
    counting = np.abs(slope[..., 4:]).sum(-1) > 0
    assert counting.sum(1).tolist() == [2 + 3 * 2, 3]
    np.testing.assert_array_equal(np.abs(slope[..., :4]).sum(-1) > 0, y_true[..., 0] > 0)


def test_loss_survives_saving():
    loss = detection.SSDLoss(negatives=2.0, offsets=0.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    data = targets_and_outputs(2)
    assert float(again(*data)) == pytest.approx(float(loss(*data)))


@pytest.mark.parametrize("argument", ["negatives", "offsets"])
def test_loss_refuses_negative_numbers(argument):
    with pytest.raises(ValueError, match=f"{argument}=-1 must be 0 or more"):
        detection.SSDLoss(**{argument: -1})


# --- suppression


def plain_suppress(boxes, scores, overlap):
    kept = []
    for number in sorted(range(len(boxes)), key=lambda k: -scores[k]):
        if all(plain_iou(boxes[number], boxes[other]) <= overlap for other in kept):
            kept.append(number)
    return kept


@pytest.mark.parametrize("overlap", [0, 0.3, 0.7, 1])
def test_suppression_equals_the_loop(overlap):
    rng = np.random.default_rng(5)
    boxes, scores = random_boxes(rng, 40), rng.random(40).astype(np.float32)
    scores[10:20] = scores[0]  # ties
    boxes[30] = boxes[31]
    expected = plain_suppress(boxes.tolist(), scores.tolist(), overlap)
    assert detection.suppress(boxes, scores, overlap=overlap).tolist() == expected


def test_suppression_limits():
    assert detection.suppress([], []).tolist() == []
    twice = [[0, 0, 4, 4], [0, 0, 4, 4]]
    assert detection.suppress(twice, [0.5, 0.5]).tolist() == [0]
    assert detection.suppress([[0, 0, 1, 1], [2, 2, 3, 3]], [0.1, 0.2], most=1).tolist() == [1]
    with pytest.raises(ValueError, match="overlap"):
        detection.suppress(twice, [0.5, 0.5], overlap=1.5)
    with pytest.raises(ValueError, match="must be 2 numbers, none NaN"):
        detection.suppress(twice, [0.5, math.nan])


def logits_of(probability):
    return [0.0, math.log(probability / (1 - probability))]


def test_find_gives_boxes_of_the_priors(priors):
    outputs = np.zeros((2, len(priors), 6), np.float32)
    outputs[..., 4:] = logits_of(0.01)
    outputs[0, 30, 4:], outputs[0, 100, 4:] = logits_of(0.7), logits_of(0.9)
    found, empty = detection.find(outputs, priors, (64, 96))
    limits = (96, 64, 96, 64)
    np.testing.assert_allclose(found.boxes, np.clip(priors[[100, 30]], 0, limits), atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.7], atol=1e-5)
    assert found.classes.tolist() == [1, 1]
    assert len(found.above(0.8)) == 1
    assert empty.boxes.shape == (0, 4)


def test_find_suppresses_each_class_for_itself(priors):
    outputs = np.zeros((1, len(priors), 7), np.float32)
    outputs[..., 4] = 9
    outputs[0, 40, 4:] = 0, 3, 2.9  # one prior, two classes
    outputs[0, 41, :4] = 0
    found = detection.find(outputs, priors, (64, 96), threshold=0.3)[0]
    assert found.classes.tolist() == [1, 2]
    np.testing.assert_array_equal(found.boxes[0], found.boxes[1])
    assert len(detection.find(outputs, priors, (64, 96), threshold=0.3, most=1)[0]) == 1


def test_find_refuses_the_priors_of_another_size(priors):
    with pytest.raises(ValueError, match="priors of this model"):
        detection.find(np.zeros((1, 5, 6)), priors, (64, 96))
    with pytest.raises(ValueError, match="threshold"):
        detection.find(np.zeros((1, len(priors), 6)), priors, (64, 96), threshold=2)


# --- average precision


def plain_average_precision(found, truths, iou):
    """For each number k of true boxes to be found, the best precision of a list that finds k."""
    entries = sorted(
        ((-score, picture, place) for picture, (_, scores) in enumerate(found)
         for place, score in enumerate(scores)),
        key=lambda entry: entry[0],
    )  # fmt: skip
    total, taken, hits, precisions = sum(map(len, truths)), set(), 0, []
    for length, (_, picture, place) in enumerate(entries, start=1):
        values = [plain_iou(found[picture][0][place], true) for true in truths[picture]]
        if values and max(values) >= iou:
            target = picture, values.index(max(values))
            hits += target not in taken
            taken.add(target)
        precisions.append((hits, hits / length))
    best = [max((p for h, p in precisions if h >= k), default=0) for k in range(1, total + 1)]
    return sum(best) / total


def noisy_detections(seed, pictures=12):
    """True boxes, and boxes near them, twice, wrong or missing."""
    rng = np.random.default_rng(seed)
    truths = [random_boxes(rng, rng.integers(0, 5)) for _ in range(pictures)]
    found = []
    for boxes in truths:
        near = boxes + rng.normal(0, 2.5, boxes.shape).astype(np.float32)
        wrong = random_boxes(rng, rng.integers(0, 3))
        every = np.concatenate([near[rng.random(len(near)) < 0.8], near[:1], wrong])
        found.append((every, rng.random(len(every)).round(2)))
    return found, truths


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("iou", [0.5, 0.75])
def test_average_precision_equals_another_method(seed, iou):
    found, truths = noisy_detections(seed)
    expected = plain_average_precision(found, truths, iou)
    assert detection.average_precision(found, truths, iou=iou) == pytest.approx(expected)


COCO = (0.5099, 0.3947, 0.4520, 0.3923)


def test_average_precision_near_that_of_coco():
    # pycocotools 2.0.11 on the same boxes; it has 101 levels of recall and gives a box to the best
    # true one that is left, so that both agree to about a hundredth.
    for seed, expected in enumerate(COCO):
        found, truths = noisy_detections(seed, 60)
        assert detection.average_precision(found, truths) == pytest.approx(expected, abs=0.01)


BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


@pytest.mark.parametrize(
    ("found", "truths", "expected"),
    [
        ([([BOX], [0.9])], [[BOX]], 1),
        ([([], [])], [[BOX]], 0),
        ([([BOX, BOX], [0.9, 0.8])], [[BOX]], 1),  # the second is wrong, but after all is found
        ([([FAR, BOX], [0.9, 0.8])], [[BOX]], 0.5),
        ([([BOX], [0.9])], [[BOX, FAR]], 0.5),
        ([([BOX], [0.9]), ([BOX], [0.8])], [[], [BOX]], 0.5),
        ([([BOX, FAR], [0.5, 0.5])], [[BOX, FAR]], 1),
        ([([[0, 0, 10, 5]], [0.5])], [[BOX]], 1),  # an IoU of exactly a half
        ([([[2, 2, 2, 2]], [0.5])], [[BOX]], 0),
    ],
)
def test_average_precision_by_hand(found, truths, expected):
    found = [(np.reshape(boxes, (-1, 4)), np.array(scores)) for boxes, scores in found]
    truths = [np.reshape(boxes, (-1, 4)) for boxes in truths]
    assert detection.average_precision(found, truths) == pytest.approx(expected)


def test_average_precision_without_true_boxes_is_nan():
    assert math.isnan(detection.average_precision([], []))
    wrong = (np.array([BOX]), np.array([0.5]))
    assert math.isnan(detection.average_precision([wrong], [np.zeros((0, 4))]))


def test_hard_boxes_count_neither_way():
    found = Found(np.array([BOX, BOX, FAR], np.float32), np.array([0.9, 0.8, 0.7]), np.ones(3))
    truths = [np.array([BOX, FAR])]
    ranking = detection.rank([found], truths, hard=[[True, False]])
    assert ranking.total == 1
    assert ranking.right.tolist() == [True]  # both on the hard box are left out
    assert ranking.average_precision == 1


def test_ranking_gives_precision_and_recall():
    found = [(np.array([BOX, FAR, BOX]), np.array([0.9, 0.8, 0.7]))]
    ranking = detection.rank(found, [np.array([BOX, [90, 0, 99, 9]])])
    np.testing.assert_allclose(ranking.precision, [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(ranking.recall, [0.5, 0.5, 0.5])


def test_rank_refuses_lists_of_different_lengths():
    with pytest.raises(ValueError, match="one entry a picture"):
        detection.rank([], [np.zeros((0, 4))])
    with pytest.raises(ValueError, match="iou"):
        detection.rank([], [], iou=1.5)

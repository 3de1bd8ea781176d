"""Losses and metrics as their definitions read: loops over pixels and classes in NumPy float64."""

from itertools import permutations

import numpy as np


def finite_differences(reference, mask, logits, **arguments):
    """The gradient of a loss by its logits, one logit moved up and down after the other."""
    gradient = np.zeros(logits.shape)
    for index in np.ndindex(logits.shape):
        step = np.zeros(logits.shape)
        step[index] = 1e-5
        above = reference(mask, logits + step, **arguments)
        gradient[index] = (above - reference(mask, logits - step, **arguments)) / 2e-5
    return gradient


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def labelled_pixels(mask, logits, void=255, weight=None):
    """Return (label, probabilities, log-probabilities, weight) of every pixel that is not void."""
    logs = log_softmax(np.asarray(logits, "float64"))
    found = []
    for index in np.ndindex(mask.shape):
        if mask[index] != void:
            pixel_weight = 1.0 if weight is None else weight[index]
            found.append((int(mask[index]), np.exp(logs[index]), logs[index], pixel_weight))
    return found


def cross_entropy(mask, logits, class_weights=None, label_smoothing=0.0, weight=None):
    total = weights = 0.0
    for label, p, logs, w in labelled_pixels(mask, logits, weight=weight):
        target = np.full(len(p), label_smoothing / len(p))
        target[label] += 1 - label_smoothing
        w *= 1.0 if class_weights is None else class_weights[label]
        total += w * -(target * logs).sum()
        weights += w
    return total / weights


def focal(mask, logits, gamma=2.0, class_weights=None, weight=None):
    total = weights = 0.0
    for label, p, logs, w in labelled_pixels(mask, logits, weight=weight):
        w *= 1.0 if class_weights is None else class_weights[label]
        total += w * (1 - p[label]) ** gamma * -logs[label]
        weights += w
    return total / weights


def hardest_cross_entropy(mask, logits, share):
    losses = sorted((-logs[label] for label, _, logs, _ in labelled_pixels(mask, logits)))[::-1]
    return np.mean(losses[: max(int(share * len(losses)), 1)])


def mean_over_present(mask, num_classes, class_loss, class_weights=None):
    present = [c for c in range(num_classes) if (mask == c).any()]
    weights = np.ones(num_classes) if class_weights is None else np.asarray(class_weights)
    return sum(weights[c] * class_loss(c) for c in present) / sum(weights[c] for c in present)


def tversky(mask, logits, alpha=0.3, beta=0.7, gamma=1.0, class_weights=None, weight=None):
    def class_loss(c):
        tp = fp = fn = 0.0
        for label, p, _, w in labelled_pixels(mask, logits, weight=weight):
            if label == c:
                tp += w * p[c]
                fn += w * (1 - p[c])
            else:
                fp += w * p[c]
        return (1 - tp / (tp + alpha * fp + beta * fn)) ** (1 / gamma)

    return mean_over_present(mask, logits.shape[-1], class_loss, class_weights)


def dice(mask, logits, class_weights=None, weight=None):
    return tversky(mask, logits, 0.5, 0.5, 1.0, class_weights, weight)


def jaccard_loss_of_set(truth, wrong):
    """One minus IoU of a class when the pixels of the set `wrong` are predicted wrongly."""
    predicted = {i for i in range(len(truth)) if truth[i] != (i in wrong)}
    true = {i for i in range(len(truth)) if truth[i]}
    return 1 - len(predicted & true) / len(predicted | true) if predicted | true else 0.0


def extension_along(order, errors, truth):
    """Sum the errors, each times what its pixel adds to the set function in this order."""
    total, wrong = 0.0, set()
    for i in order:
        before = jaccard_loss_of_set(truth, wrong)
        wrong.add(i)
        total += errors[i] * (jaccard_loss_of_set(truth, wrong) - before)
    return total


def lovasz_softmax(mask, logits, class_weights=None):
    pixels = labelled_pixels(mask, logits)

    def class_loss(c):
        truth = [label == c for label, *_ in pixels]
        errors = [abs(t - p[c]) for t, (_, p, _, _) in zip(truth, pixels, strict=True)]
        order = sorted(range(len(errors)), key=lambda i: -errors[i])
        return extension_along(order, errors, truth)

    return mean_over_present(mask, logits.shape[-1], class_loss, class_weights)


def lovasz_of_many(mask, logits):
    """Return the Lovász-softmax loss and its gradient by probability, by sorting (no void)."""
    classes = logits.shape[-1]
    p = np.exp(log_softmax(logits.astype("float64"))).reshape(-1, classes)
    labels = mask.reshape(-1)
    total, gradient = 0.0, np.zeros_like(p)
    present = [c for c in range(classes) if (labels == c).any()]
    for c in present:
        truth = labels == c
        errors = np.abs(truth - p[:, c])
        order = np.argsort(-errors)
        size, sorted_truth = truth.sum(), truth[order]
        jaccard = 1 - (size - sorted_truth.cumsum()) / (size + (~sorted_truth).cumsum())
        slopes = np.diff(jaccard, prepend=0)
        total += errors[order] @ slopes / len(present)
        gradient[order, c] = slopes * np.where(sorted_truth, -1, 1) / len(present)
    return total, gradient


def convex_closure(errors, truth):
    """The Lovász extension of a submodular function: the largest sum over all orders."""
    return max(extension_along(o, errors, truth) for o in permutations(range(len(errors))))


def labelled_sigmoids(masks, logits, void=255, weight=None):
    """Return (class, label, probability of 1, logit, weight) of every label that is not void."""
    found = []
    for index in np.ndindex(masks.shape):
        if masks[index] != void:
            logit = float(logits[index])
            p = 1 / (1 + np.exp(-logit)) if logit > 0 else np.exp(logit) / (1 + np.exp(logit))
            w = 1.0 if weight is None else weight[index[:3]]
            found.append((index[3], int(masks[index]), p, logit, w))
    return found


def binary_cross_entropy(masks, logits, pos_weight=1.0, label_smoothing=0.0, weight=None):
    total = weights = 0.0
    for c, label, _, logit, w in labelled_sigmoids(masks, logits, weight=weight):
        target = (1 - label_smoothing) * label + label_smoothing / 2
        positive = np.broadcast_to(pos_weight, masks.shape[-1])[c] * target
        log_1, log_0 = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
        total -= w * (positive * log_1 + (1 - target) * log_0)
        weights += w
    return total / weights


def binary_focal(masks, logits, gamma=2.0, alpha=0.5, weight=None):
    """Lin et al. 2017, equation 5; divided by the sum of the weights, alpha among them."""
    total = weights = 0.0
    for _, label, p, logit, w in labelled_sigmoids(masks, logits, weight=weight):
        p_true, logit_true = (p, logit) if label else (1 - p, -logit)
        w *= alpha if label else 1 - alpha
        total += w * (1 - p_true) ** gamma * np.logaddexp(0, -logit_true)
        weights += w
    return total / weights


def binary_tversky(masks, logits, alpha=0.3, beta=0.7, gamma=1.0, class_weights=None, weight=None):
    losses, weights = [], []
    for c in range(masks.shape[-1]):
        labels = [x for x in labelled_sigmoids(masks, logits, weight=weight) if x[0] == c]
        tp = sum(w * p for _, label, p, _, w in labels if label)
        fn = sum(w * (1 - p) for _, label, p, _, w in labels if label)
        fp = sum(w * p for _, label, p, _, w in labels if not label)
        if any(label for _, label, *_ in labels):
            losses.append((1 - tp / (tp + alpha * fp + beta * fn)) ** (1 / gamma))
            weights.append(1.0 if class_weights is None else class_weights[c])
    return np.average(losses, weights=weights)


def binary_dice(masks, logits, **more):
    return binary_tversky(masks, logits, 0.5, 0.5, **more)


def lovasz_hinge(masks, logits):
    """The mean over classes of the Lovász extension of one minus IoU, over hinge errors, sorted."""
    losses = []
    for c in range(masks.shape[-1]):
        labels = [x for x in labelled_sigmoids(masks, logits) if x[0] == c]
        truth = [label == 1 for _, label, *_ in labels]
        errors = [max(0.0, 1 - (2 * label - 1) * logit) for _, label, _, logit, _ in labels]
        order = sorted(range(len(errors)), key=lambda i: -errors[i])
        losses.append(extension_along(order, errors, truth))
    return np.mean(losses)


def hinge_of_many(mask, logits):
    """Return the Lovász hinge of one sigmoid and its gradient, by sorting (no void)."""
    truth, logits = mask.reshape(-1) == 1, logits.astype("float64").reshape(-1)
    sign = np.where(truth, 1.0, -1.0)
    errors = np.maximum(0, 1 - sign * logits)
    order = np.argsort(-errors)
    size, sorted_truth = truth.sum(), truth[order]
    jaccard = 1 - (size - sorted_truth.cumsum()) / (size + (~sorted_truth).cumsum())
    slopes = np.diff(jaccard, prepend=0)
    gradient = np.zeros_like(logits)
    gradient[order] = slopes * (-sign * (errors > 0))[order]
    return errors[order] @ slopes, gradient


def confusion(mask, predicted, num_classes, ignore_label=(255,)):
    counts = np.zeros((num_classes, num_classes), "int64")
    for index in np.ndindex(mask.shape):
        if mask[index] not in ignore_label:
            counts[mask[index], predicted[index]] += 1
    return counts


def scores(counts, left_out=()):
    """Return every score of a confusion matrix, by loops over classes."""
    classes = range(len(counts))
    recalls, ious, dices, weighted = [], [], [], 0.0
    for c in classes:
        tp = counts[c][c]
        true = sum(counts[c][j] for j in classes)
        predicted = sum(counts[i][c] for i in classes)
        if true + predicted == 0 or c in left_out:
            continue
        ious.append(tp / (true + predicted - tp))
        dices.append(2 * tp / (true + predicted))
        weighted += true * ious[-1]
        if true:
            recalls.append(tp / true)
    pixels = counts.sum()
    return {
        "pixel_accuracy": sum(counts[c][c] for c in classes) / pixels,
        "mean_accuracy": np.mean(recalls),
        "mean_iou": np.mean(ious),
        "frequency_weighted_iou": weighted / pixels,
        "mean_dice": np.mean(dices),
    }


def window(height, width, y, x, radius):
    """Return the places of the square around (y, x), those outside the picture included."""
    around = range(-radius, radius + 1)
    places = [(y + dy, x + dx) for dy in around for dx in around]
    return [(place, 0 <= place[0] < height and 0 <= place[1] < width) for place in places]


def trimap(mask, radius):
    """True where a pixel with another label is at most `radius` away."""
    band = np.zeros(mask.shape, bool)
    for n, y, x in np.ndindex(mask.shape):
        places = window(*mask.shape[1:], y, x, radius)
        band[n, y, x] = any(inside and mask[n][p] != mask[n, y, x] for p, inside in places)
    return band


def boundary_iou(mask, predicted, num_classes, radius, void=255):
    """Boundary IoU of each class, with bands by erosion as in the authors' recipe."""
    from scipy.ndimage import binary_erosion

    def inner_band(region):
        square = np.ones((1, 3, 3), bool)
        return region & ~binary_erosion(region, square, iterations=radius, border_value=0)

    found = []
    for c in range(num_classes):
        truth = inner_band(mask == c)
        guess = inner_band((predicted == c) & (mask != void))
        union = (truth | guess).sum()
        found.append((truth & guess).sum() / union if union else np.nan)
    return np.array(found)

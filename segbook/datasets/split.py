"""Splits that keep together what belongs together."""

import numpy as np


def split_by_group(samples, groups, share, *, seed=0):
    """Split samples in two so that no group, such as a person or a film, is in both.

    Groups come from where pictures lie or what they are called:
    `[name.split("/")[0] for name in samples.names]`. Whole groups are drawn at random until the
    share is met as nearly as they allow; a group that would lead away from it is passed over.

    Args:
        samples: `Samples`, lazy or not.
        groups: One text or number a sample, `(count,)`.
        share: The share of the samples that is wanted in the second part, above 0 and below 1.
        seed: The seed of the draw.

    Returns:
        Two `Samples`, for training and held out; neither is empty.

    Raises:
        ValueError: If there are fewer than two groups, or an argument does not fit.
    """
    groups = np.asarray(groups)
    if groups.shape != (len(samples),):
        raise ValueError(f"groups of shape {groups.shape} must be one a sample, ({len(samples)},).")
    if not 0 < share < 1:
        raise ValueError(f"share={share} must be above 0 and below 1.")
    names, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(f"groups={names.tolist()} must be two or more different ones.")
    missing = share * len(samples)
    held_out = np.zeros(len(names), bool)
    for group in np.random.default_rng(seed).permutation(len(names)):
        if counts[group] < 2 * missing:  # nearer with it than without
            held_out[group] = True
            missing -= counts[group]
    if held_out.all() or not held_out.any():
        held_out[counts.argmin()] ^= True
    chosen = held_out[numbers]
    return samples[~chosen], samples[chosen]

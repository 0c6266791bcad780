"""Simulated studies of two arms whose true difference is known: to check intervals and verdicts against it.

An image has a difficulty that all networks share, a network a quality of its own; both are added as logits. Easy
images, which nobody misreads, are not drawn.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from pipeline.evidence.intervals import LEVEL, Spread
from pipeline.evidence.verdict import judge

EASY = 1e-3  # images below this chance are taken to be never misread
QUANTILES = 4096
CHUNK = 250  # studies in memory


@dataclass(frozen=True)
class Setting:
    """A design, and the truth."""

    folds: int = 5
    seeds: int = 1
    """Pairs per fold, which read the same images."""
    seed_sd: float = 0.0
    """Standard deviation of a pair's true difference, percentage points."""
    effect: float = 0.0
    """True mean difference, percentage points."""
    taste: float = 0.0
    """Standard deviation, in logits, of how much better one arm reads an image than the other, with all seeds."""
    errors: float = 35
    """Images of a fold that a network misreads; as docs/study/strong has it."""
    disagreements: float = 16
    """Images of a fold that only one of two networks reads right, if they have one quality and one taste."""
    images: int = 8400
    """Images of a fold."""

    @property
    def pairs(self):
        return self.folds * self.seeds

    @property
    def shape(self):
        """Of the beta distribution of an image's chance to be misread, by its mean and by that of chance times 1 - it.

        Two networks disagree with twice the latter: 2 m (1 - m) s / (s + 1), with mean m and s the sum of the shape.
        """
        mean = self.errors / self.images
        ratio = self.disagreements / self.images / (2 * mean * (1 - mean))
        total = ratio / (1 - ratio)
        return mean * total, (1 - mean) * total

    @property
    def slope(self):
        """Percentage points of accuracy per logit: the mean of chance times 1 - it."""
        return 100 * self.disagreements / self.images / 2


def simulate(setting, studies, generator):
    """Readings of the images that are not easy, int8 of shape (studies, folds, seeds, hard images).

    1 where only the first network of a pair is right, -1 where only the second is, else 0.
    """
    difficulty = _difficulties(setting, studies, generator)
    taste = generator.normal(0, setting.taste, difficulty.shape).astype(np.float32)
    right = []
    for sign in (1, -1):
        quality = generator.normal(0, setting.seed_sd / np.sqrt(2), (studies, setting.folds, setting.seeds, 1))
        logits = (sign * taste / 2 - difficulty)[:, :, None]
        logits = logits + ((quality + sign * setting.effect / 2) / setting.slope).astype(np.float32)
        right.append(generator.random(logits.shape, np.float32) * (1 + np.exp(-logits)) < 1)
    return right[0].astype(np.int8) - right[1].astype(np.int8)


def _difficulties(setting, studies, generator):
    """Logits of the chances to be misread, float32 of shape (studies, folds, hard images)."""
    share = beta.sf(EASY, *setting.shape)
    slots = int(setting.images * share + 6 * np.sqrt(setting.images * share))
    steps = (np.arange(QUANTILES) + 0.5) / QUANTILES
    chances = np.clip(beta.isf(share * steps, *setting.shape), EASY, 1 - 1e-6)
    logits = np.log(chances / (1 - chances)).astype(np.float32)
    drawn = logits[generator.integers(0, QUANTILES, (studies, setting.folds, slots))]
    hard = generator.binomial(setting.images, share, (studies, setting.folds, 1))
    drawn[np.arange(slots) >= hard] = -30  # no image
    return drawn


def spreads_of(readings, setting):
    """What `spread_of` finds in every study, by sums over the images that are not easy; some reading must differ."""
    pairs, cells = setting.pairs, setting.pairs * setting.images
    images, nets = readings.sum(axis=2, dtype=np.int64), readings.sum(axis=3, dtype=np.int64)
    mean = nets.sum(axis=(1, 2)) / cells
    by_pair = ((nets - mean[:, None, None] * setting.images) ** 2).sum(axis=(1, 2)) * pairs / (pairs - 1)
    by_image = (images**2).sum(axis=(1, 2)) - mean**2 * cells * setting.seeds
    by_cell = np.count_nonzero(readings, axis=(1, 2, 3)) - mean**2 * cells
    variance = np.maximum(by_image - by_cell, 0) + np.maximum(by_pair, np.minimum(by_image, by_cell))
    return [Spread(pairs, *numbers) for numbers in zip(100 * mean, variance * (100 / cells) ** 2, strict=True)]


def judge_studies(setting, studies):
    """The spreads of simulated studies, and their verdicts."""
    generator = np.random.default_rng(0)
    chunks = [spreads_of(simulate(setting, CHUNK, generator), setting) for _ in range(studies // CHUNK)]
    spreads = [spread for chunk in chunks for spread in chunk]
    return spreads, [judge(spread, setting.folds * setting.images, LEVEL) for spread in spreads]

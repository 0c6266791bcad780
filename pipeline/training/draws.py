"""All that is random in a member, drawn on the host from its seed, fold and epoch."""

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import AugmentConfig, MemberSpec
from pipeline.data.augment import DRAWS_PER_IMAGE, draw_transforms

WEIGHTS, DRAWS = 1, 2  # purposes that a member's seed is split for
UNDISTORTED = AugmentConfig(rotation=0, zoom=0, shift=0, shear=0, elastic=0)


def derive_seed(spec: MemberSpec, purpose: int, *more: int) -> int:
    """A seed of 63 bits for one purpose, the same for all arms of a (seed, fold)."""
    fold = 0 if spec.fold is None else spec.fold + 1
    state = np.random.SeedSequence([spec.seed, fold, purpose, *more]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


def draw_epoch(
    spec: MemberSpec, epoch: int, training_rows: NDArray[np.int64], side: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """What is random in an epoch, the same for all arms of a (seed, fold).

    Returns:
        The rows of each step, int32 of shape (steps, batch), and their transforms, float32 of shape (steps, batch,
        DRAWS_PER_IMAGE).
    """
    generator = np.random.default_rng(derive_seed(spec, DRAWS, epoch))
    batch = spec.recipe.train.batch_size
    steps = len(training_rows) // batch
    rows = generator.permutation(training_rows)[: steps * batch].reshape(steps, batch).astype(np.int32)
    augment = (
        UNDISTORTED if epoch > spec.recipe.train.epochs - spec.recipe.augment.clean_epochs else spec.recipe.augment
    )
    transforms = draw_transforms(augment, steps * batch, generator, side)
    return rows, transforms.reshape(steps, batch, DRAWS_PER_IMAGE)

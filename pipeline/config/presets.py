"""Named configs: the sample, the blog post's experiment, and the strongest recipe in three sizes."""

from dataclasses import replace
from typing import Any

from pipeline.config.errors import UserError, suggest
from pipeline.config.schema import AugmentConfig, Recipe, RunConfig, TrainConfig

# Chosen on validation rows: docs/score.md.
LEADERBOARD = RunConfig(
    name="leaderboard",
    recipe=Recipe(
        architecture="deotte",
        folds=0,
        augment=AugmentConfig(zoom=0.15, shear=10.0, elastic=1.0, clean_epochs=1),
        train=TrainConfig(
            epochs=30,
            batch_size=64,
            optimizer="adamw",
            learning_rate=4e-3,
            schedule="cosine",
            warmup=0.05,
            weight_decay=0.01,
            ema_momentum=0.999,
            fresh_statistics=True,
        ),
    ),
    seeds=3,
    folds_used=0,
)


def _recipe(epochs: int, **changes: Any) -> Recipe:
    """The recipe of `leaderboard`, in so many epochs and with other changes."""
    recipe = LEADERBOARD.recipe
    return replace(recipe, train=replace(recipe.train, epochs=epochs), **changes)


PRESETS: dict[str, tuple[str, RunConfig]] = {
    "sample": (
        "ReLU and Swish, two seeds each, on 5,000 embedded digits; minutes on a laptop",
        RunConfig(
            name="sample",
            data="sample",
            recipe=Recipe(
                architecture="deotte",
                folds=20,
                train=TrainConfig(
                    epochs=10,
                    batch_size=32,
                    optimizer="adam",
                    learning_rate=3e-3,
                    schedule="cosine",
                    warmup=0.03,
                    label_smoothing=0.1,
                ),
            ),
            seeds=2,
        ),
    ),
    "original": (
        "the blog post's experiment: ReLU against Swish, RMSprop, 30 epochs, 10% validation",
        RunConfig(name="original"),
    ),
    "study": (
        "does the activation matter: the strongest recipe, ReLU and Swish, 10 pairs over 5 folds and 2 seeds",
        replace(LEADERBOARD, name="study", recipe=replace(LEADERBOARD.recipe, folds=5), seeds=2, folds_used=5),
    ),
    "quick": (
        "one ReLU and one Swish network on all labelled rows, sized for five minutes of two cores",
        # Less dropout is better in so short a training: docs/score.md.
        replace(LEADERBOARD, name="quick", recipe=_recipe(dropout=0.5, epochs=6), seeds=1),
    ),
    "leaderboard": (
        "the strongest recipe: 6 networks, half ReLU, half Swish, trained on all labelled rows",
        LEADERBOARD,
    ),
    "leaderboard-residual": (
        "the same with 6 residual networks, in twice the time: as good, alone or in a blend",
        replace(LEADERBOARD, name="leaderboard-residual", recipe=_recipe(architecture="residual", epochs=16)),
    ),
}


def preset(name: str) -> RunConfig:
    """The preset of that name.

    Raises:
        UserError: no preset has that name.
    """
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}; {suggest(name, list(PRESETS))}")
    return PRESETS[name][1]

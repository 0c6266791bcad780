"""Named configs: the sample, the blog post's experiment, the strongest recipe."""

from pipeline.config.errors import UserError, suggest
from pipeline.config.schema import RunConfig, TrainConfig

PRESETS: dict[str, tuple[str, RunConfig]] = {
    "sample": (
        "ReLU and Swish, two seeds each, on 5,000 embedded digits; minutes on a laptop",
        RunConfig(
            name="sample",
            data="sample",
            architecture="deotte",
            seeds=2,
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
    ),
    "original": (
        "the blog post's experiment: ReLU against Swish, RMSprop, 30 epochs, 10% validation",
        RunConfig(name="original"),
    ),
    "study": (
        "does the activation matter: ReLU, Swish and swish_beta, 10 pairs each over 5 folds and 2 seeds",
        RunConfig(
            name="study",
            arms=("relu", "swish", "swish_beta"),
            # All of the blog post's 30 epochs: after 6, ReLU is ahead of Swish, and after 30 it is not (docs/study).
            seeds=2,
            folds=5,
            folds_used=5,
        ),
    ),
    "quick": (
        "one ReLU and one Swish network on all labelled rows, sized for five minutes of two cores",
        RunConfig(
            name="quick",
            architecture="deotte",
            folds=0,
            folds_used=0,
            train=TrainConfig(
                epochs=7,
                batch_size=64,
                optimizer="adamw",
                learning_rate=2e-3,
                schedule="cosine",
                warmup=0.2,
                weight_decay=0.01,
                label_smoothing=0.05,
            ),
        ),
    ),
    "leaderboard": (
        "the strongest recipe so far: 16 networks of 2 arms, all labelled rows, soft voting",
        RunConfig(
            name="leaderboard",
            architecture="deotte",
            seeds=8,
            folds=0,
            folds_used=0,
            train=TrainConfig(
                epochs=45,
                batch_size=64,
                optimizer="adamw",
                learning_rate=2e-3,
                schedule="cosine",
                warmup=0.05,
                weight_decay=0.01,
                label_smoothing=0.05,
                ema_momentum=0.999,
            ),
        ),
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

"""The learning rate of every step."""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import TrainConfig
from pipeline.records.members import History

STALL = 1e-4  # an improvement of validation accuracy below this is none; the default of Keras's ReduceLROnPlateau


def learning_rates(config: TrainConfig, steps: int, history: History) -> NDArray[np.float32]:
    """The learning rate of each step of the epoch after `history`; float32, shape (steps,)."""
    if config.schedule == "plateau":
        return np.full(steps, _plateau_rate(config, history), np.float32)
    step = np.arange(len(history) * steps, (len(history) + 1) * steps)
    total = config.epochs * steps
    warmup = config.warmup * total
    decay = np.clip((step - warmup) / (total - warmup), 0, 1)
    rate = 0.5 * (1 + np.cos(np.pi * decay))
    if warmup:
        rate = np.where(step < warmup, step / warmup, rate)
    return (config.learning_rate * rate).astype(np.float32)


def _plateau_rate(config: TrainConfig, history: History) -> float:
    """Keras's ReduceLROnPlateau on validation accuracy, as a function of the history alone."""
    rate, best, wait = config.learning_rate, -math.inf, 0
    for record in history:
        if record["validation_accuracy"] > best + STALL:
            best, wait = record["validation_accuracy"], 0
            continue
        wait += 1
        if wait >= config.patience:
            rate, wait = max(rate / 2, config.min_learning_rate), 0
    return rate

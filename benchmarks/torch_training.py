"""The same networks in PyTorch, trained as its documentation advises for CPUs: channels last, autocast.

The images are in memory as float32 and are not augmented; there is no validation and no checkpoint. Nothing here may
load TensorFlow: in one process with it, some builds of PyTorch crash.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from benchmarks.contest import Pause
from pipeline.config.schema import MemberSpec
from pipeline.data.digits import load
from pipeline.data.folds import validation_folds

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}


def ghouzam(activation: Callable[[], nn.Module]) -> nn.Module:
    """The blog post's network, up to the logits; in: shape (n, 1, 28, 28)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5, padding=2), activation(), nn.Conv2d(32, 32, 5, padding=2), activation()),
        *(nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Conv2d(32, 64, 3, padding=1), activation(), nn.Conv2d(64, 64, 3, padding=1), activation()),
        *(nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(3136, 256), activation(), nn.Dropout(0.5), nn.Linear(256, 10)),
    )


def deotte(activation: Callable[[], nn.Module]) -> nn.Module:
    """The stronger network, up to the logits; in: shape (n, 1, 28, 28)."""

    def conv(before: int, filters: int, size: int, stride: int = 1) -> list[nn.Module]:
        layer = nn.Conv2d(before, filters, size, stride, padding=0 if stride == 1 else 2)
        return [layer, activation(), nn.BatchNorm2d(filters)]

    def stage(before: int, filters: int) -> list[nn.Module]:
        return [*conv(before, filters, 3), *conv(filters, filters, 3), *conv(filters, filters, 5, 2), nn.Dropout(0.4)]

    return nn.Sequential(
        *(*stage(1, 32), *stage(32, 64), *conv(64, 128, 4)), nn.Flatten(), nn.Dropout(0.4), nn.Linear(128, 10)
    )


class Block(nn.Module):
    """y + act(C3(y)), with y the batch-normalised input; in and out: shape (n, filters, side, side)."""

    def __init__(self, filters: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.normalization = nn.BatchNorm2d(filters)
        self.branch = nn.Sequential(nn.Conv2d(filters, filters, 3, padding=1), activation())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output."""
        y = self.normalization(x)
        return y + self.branch(y)


def residual(activation: Callable[[], nn.Module]) -> nn.Module:
    """The widest network, up to the logits; in: shape (n, 1, 28, 28)."""

    def conv(before: int, filters: int, size: int) -> list[nn.Module]:
        return [nn.Conv2d(before, filters, size, padding=size // 2), activation()]

    def pool() -> nn.Module:
        return nn.MaxPool2d(2, ceil_mode=True)  # 7 pixels to 4

    return nn.Sequential(
        *(*conv(1, 64, 5), Block(64, activation), pool(), Block(64, activation), nn.BatchNorm2d(64)),
        *(*conv(64, 128, 3), pool(), Block(128, activation), nn.BatchNorm2d(128)),
        *(*conv(128, 256, 3), pool(), Block(256, activation), nn.BatchNorm2d(256)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10)),
    )


NETWORKS = {"ghouzam": ghouzam, "deotte": deotte, "residual": residual}


def train(pause: Pause, _: int, spec: MemberSpec, activation: str, half: bool, threads: int, data: str) -> None:
    """Train the network of that member with an activation of PyTorch's, in bfloat16 if `half`, until stopped."""
    torch.set_num_threads(threads)
    torch.manual_seed(spec.seed)
    digits = load(data)
    rows = np.flatnonzero(validation_folds(digits, spec.recipe.folds, spec.recipe.split_seed) != spec.fold)
    images = torch.from_numpy(digits.images[rows]).float().div(255).unsqueeze(1)
    labels = torch.from_numpy(digits.labels[rows]).long()
    network = NETWORKS[spec.recipe.architecture](ACTIVATIONS[activation]).train()
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=spec.recipe.train.learning_rate, alpha=0.9)
    batch = spec.recipe.train.batch_size
    while True:
        order = torch.randperm(len(rows))[: len(rows) // batch * batch]
        for start, end in pairwise(range(0, len(order) + 1, batch)):
            chosen = order[start:end]
            x = images[chosen].contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = nn.functional.cross_entropy(network(x), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        pause(None)

"""What a run is: frozen dataclasses.

Config is data. The command line is derived from these classes, a kernel carries one as a literal, and a run's folder
keeps the JSON. The docstring under a field is its help text: its unit first, then its reason.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

OWN_ACTIVATIONS = ("relu", "swish", "swish_beta")
# Keras's element-wise activations; written out because asking Keras takes seconds. A test holds the list against Keras.
KERAS_ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu",
    "linear", "log_sigmoid", "mish", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softplus", "softsign",
    "sparse_plus", "squareplus", "tanh", "tanh_shrink",
)  # fmt: skip


EngineName = Literal["local", "ray"]
DeviceKind = Literal["auto", "cpu", "gpu", "tpu"]
Backend = Literal["auto", "tensorflow", "jax"]
# The functions of these names in pipeline.network.architectures.
Architecture = Literal["ghouzam", "deotte", "residual"]
WITHOUT_DROPOUT = ("residual",)
WITHOUT_NORMALIZATION = ("ghouzam",)
WIDTHS = (1, 2, 3)

FORBID_UNKNOWN_KEYS = {"extra": "forbid"}


class _Settled:
    """Holds whole numbers as floats where the field is one, as config.json gives them back: digests tell 1 from 1.0."""

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            if each.type is float and type(value := getattr(self, each.name)) is int and abs(value) < 1 << 53:
                object.__setattr__(self, each.name, float(value))


@dataclass(frozen=True)
class AugmentConfig(_Settled):
    """Random distortion of each training image, drawn anew every epoch; 0 switches one off."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    rotation: float = 10.0
    """Degrees; largest rotation either way. 10 is the blog post's; past 20, a 1 and a 7 start to mix."""
    zoom: float = 0.1
    """Fraction; width and height are each scaled by a factor in [1 - zoom, 1 + zoom]. The blog post's value."""
    shift: float = 0.1
    """Fraction of the side; largest move along each axis (0.1 of 28 pixels is 2.8). The blog post's value."""
    shear: float = 0.0
    """Degrees; largest slant of the vertical either way. 0 in the blog post; handwriting slants by 10 and more."""
    elastic: float = 0.0
    """Pixels; largest move along each axis of the nodes of a 4 x 4 grid, between which the image bends smoothly."""
    clean_epochs: int = 0
    """Last epochs that train on the images as they are, like those to be predicted."""


@dataclass(frozen=True)
class TrainConfig(_Settled):
    """How one network is trained."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    epochs: int = 30
    """Passes over the training rows. The weights used are the last epoch's, never the best-scoring epoch's."""
    batch_size: int = 86
    """Images per step. 86 is the blog post's. Rows left over when an epoch is cut into batches sit that epoch out."""
    optimizer: Literal["rmsprop", "adam", "adamw"] = "rmsprop"
    """Update rule, with Keras's default moments. RMSprop is the blog post's."""
    learning_rate: float = 1e-3
    """Step size at its peak."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """plateau: halved when validation accuracy stalls (the blog post's). cosine: linear warm-up, then down to zero."""
    patience: int = 3
    """Epochs without a better validation accuracy before plateau halves the rate. The blog post's value."""
    min_learning_rate: float = 1e-5
    """Floor of the plateau schedule. The blog post's value."""
    warmup: float = 0.0
    """Fraction of the training spent on linear warm-up before the cosine decay; steadies the start at high rates."""
    weight_decay: float = 0.0
    """Decoupled decay per unit of learning rate, adamw only; biases, normalisation and swish_beta's beta are exempt."""
    label_smoothing: float = 0.0
    """Probability mass moved from the true class to all ten evenly, in [0, 1)."""
    ema_momentum: float = 0.0
    """Momentum per step of the moving average of the weights that is used in the end; 0 uses the last weights."""
    fresh_statistics: bool = False
    """Recompute batch normalisation's means and variances for the weights used in the end, on 5,000 undistorted
    training images without dropout; otherwise they are the moving averages of the last steps."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """Arithmetic of the layers; softmax and loss are always float32. auto: the fastest the hardware does natively."""


@dataclass(frozen=True)
class Recipe(_Settled):
    """All that a network's training depends on besides its activation, seed and fold."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    architecture: Architecture = "ghouzam"
    """The network: ghouzam (the blog post's, 887,530 parameters), deotte (batch-normalised, 327,242 parameters) or
    residual (batch-normalised, 1,188,618 parameters, 5 times the work of deotte)."""
    width: int = 1
    """Factor on the channels of every layer: 1, 2 or 3. The work of a step grows with its square."""
    dropout: float = 1.0
    """Factor on the network's dropout rates, 0 to 1.9: 0 trains without. residual has none."""
    folds: int = 10
    """Stratified folds that the labelled rows are cut into; a network validates on one. 0: no validation rows."""
    split_seed: int = 0
    """Seed of the split into folds; the same for all networks."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class RunConfig:
    """One run: the data, the recipe, and which networks are trained by it."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    name: str
    """Label of the run; first part of its default folder's name."""
    data: str = "auto"
    """Folder or zip of the competition's files; auto: where Kaggle mounts them, else data/; sample: embedded digits."""
    out: str | None = None
    """The run's folder. By default runs/NAME-RECIPE, so that the same command finds its own folder and resumes it, and
    one with more seeds, arms or folds trains only what is missing."""
    recipe: Recipe = field(default_factory=Recipe)
    arms: tuple[str, ...] = ("relu", "swish")
    """Activations to train: relu, swish, swish_beta, or any element-wise activation that Keras has by name."""
    seeds: int = 1
    """Networks per activation and fold. Those of one seed share rows, augmentation, dropout and initial weights."""
    first_seed: int = 0
    """The first of the seeds. A later one gives networks that are independent of an earlier study's."""
    folds_used: int = 1
    """How many folds take their turn as validation rows. 1: a single hold-out of 1/folds; folds: cross-validation."""
    device: DeviceKind = "auto"
    """What to compute on. cpu, gpu or tpu: if it is not there, the run ends before any training. auto: the GPUs if
    there are any, else the CPU; in a kernel, the accelerator that kernel-metadata.json asks for."""
    backend: Backend = "auto"
    """What computes below Keras. auto: what the environment variable KERAS_BACKEND says, else TensorFlow; on a TPU,
    JAX."""
    hours: float | None = None
    """Hours for the training; by default 11.5 in a kernel, 8.5 on a TPU, and no limit elsewhere. No network is started
    that would not end in time, by the seconds measured so far. The finished ones vote; rerun the same command to train
    the rest."""
    engine: EngineName = "local"
    """What trains the networks: local, processes on this machine; ray, the nodes of a Ray cluster (docs/cluster.md)."""
    ray_address: str | None = None
    """Where the Ray cluster is: auto, HOST:PORT or ray://HOST:PORT. By default a Ray of this machine is started."""


@dataclass(frozen=True)
class MemberSpec:
    """One network to train; with the data, everything that its result depends on."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    recipe: Recipe
    activation: str
    seed: int
    fold: int | None

    @property
    def id(self) -> str:
        """Folder-safe name, unique within a run, such as `swish-s0-f3`, or `swish-s0-all` if it trains on all rows."""
        return f"{self.activation}-s{self.seed}-{'all' if self.fold is None else f'f{self.fold}'}"


def member_specs(config: RunConfig) -> list[MemberSpec]:
    """The members of a run, arms innermost, so that a run cut short still holds whole pairs."""
    folds: Sequence[int | None] = range(config.folds_used) if config.recipe.folds else [None]
    return [
        MemberSpec(config.recipe, arm, seed, fold)
        for seed in range(config.first_seed, config.first_seed + config.seeds)
        for fold in folds
        for arm in config.arms
    ]


def digest(of: Recipe | MemberSpec | RunConfig) -> str:
    """SHA-256, in hex, of a recipe, of a member, or of a run: its recipe, and which members it has."""
    content = asdict(of)
    if isinstance(of, RunConfig):
        content = {name: content[name] for name in ("recipe", "arms", "seeds", "first_seed", "folds_used")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def settings(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What a config holds, as nested dicts, by the names of the command line, such as `train.epochs`."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            found |= settings(value, prefix if name == "recipe" else f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found

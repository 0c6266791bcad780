"""How long each kind of layer takes in a training step, and how much arithmetic it does in that time."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from benchmarks.contest import Pause
from pipeline.config.schema import MemberSpec
from pipeline.device.accelerator import configure_device, resolve_precision
from pipeline.network.architectures import ARCHITECTURES

REPETITIONS = 15
PRODUCT = 2048  # side of the square matrices whose product shows what the machine can do


def measure(pause: Pause, index: int, spec: MemberSpec) -> None:
    """Report how long every layer of a member's network takes alone, and what a large matrix product reaches.

    The report is the second pause's: FLOP/s of the product, Keras dtype policy, and a dictionary for each kind of
    layer: kind; microseconds per image, forwards and backwards, on one thread; flops, floating-point operations per
    image, 0 for what is not a matrix product or convolution.
    """
    import tensorflow as tf

    pause(None)

    configure_device(index)
    policy = resolve_precision(spec.recipe.train.precision)
    recipe = spec.recipe
    network = ARCHITECTURES[recipe.architecture](spec.activation, spec.seed, policy, recipe.width, recipe.dropout)
    kinds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for layer in network.layers[1:]:  # the first is the input
        shapes = [(spec.recipe.train.batch_size, *x.shape[1:]) for x in keras.tree.flatten(layer.input)]
        seconds = _step_seconds(tf, layer, shapes)
        kind = kinds[type(layer).__name__]
        kind[0] += seconds / spec.recipe.train.batch_size * 1e6
        kind[1] += flops(layer)
    half = tf.bfloat16 if policy == "mixed_bfloat16" else tf.float32
    square = tf.cast(tf.ones((PRODUCT, PRODUCT)), half)
    product = _median_seconds(tf.function(lambda: tf.matmul(square, square)))
    times = [{"kind": kind, "microseconds": micros, "flops": flops} for kind, (micros, flops) in kinds.items()]
    pause((2 * PRODUCT**3 / product, policy, times))


def _step_seconds(tf: Any, layer: keras.layers.Layer, shapes: Sequence[tuple[int, ...]]) -> float:
    """Seconds of one layer's forward and backward pass on a batch; a layer that adds has several inputs."""
    generator = np.random.default_rng(0)
    xs = [tf.cast(generator.normal(size=shape).astype(np.float32), layer.compute_dtype) for shape in shapes]

    @tf.function(autograph=False)
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = layer(xs if len(xs) > 1 else xs[0], training=True)
        # A weight's gradient and the inputs'; the output itself stands in for the gradient from above.
        return tape.gradient(y, [*xs, *layer.trainable_variables], output_gradients=y)

    return _median_seconds(step)


def _median_seconds(work: Any) -> float:
    work()
    seconds = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        result = work()
        np.asarray(result[0] if isinstance(result, list) else result)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def flops(layer: keras.layers.Layer) -> float:
    """Of a training step, per image: a product forwards, one for the input's gradient and one for the weights'."""
    if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
        return 0.0
    places = float(np.prod(layer.output.shape[1:-1]))  # 1 for a dense layer
    return 3 * 2 * places * float(np.prod(layer.kernel.shape))

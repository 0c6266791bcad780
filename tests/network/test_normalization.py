import keras
import numpy as np
import pytest
from keras import ops

from pipeline.network.normalization import BatchNormalization

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the fast path is TensorFlow's")


def trained_once(layer, x, upstream, compiled):
    """Output, gradients by the input and the weights, and moving statistics after one training call."""
    import tensorflow as tf

    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return y, *tape.gradient(y, [x, *layer.trainable_variables], output_gradients=upstream)

    results = (tf.function(step) if compiled else step)()
    return [np.asarray(ops.cast(r, "float32")) for r in (*results, *layer.non_trainable_variables)]


@tensorflow_only
@pytest.mark.parametrize(
    ("policy", "tolerance", "shape", "compiled"),
    [
        ("float32", 1e-5, (9, 4), False),
        ("mixed_bfloat16", 2**-7, (6, 5, 5, 8), True),
        ("mixed_float16", 2**-10, (6, 5, 5, 8), True),
    ],
)
def test_a_training_step_is_kerass_own(policy, tolerance, shape, compiled):
    generator = np.random.default_rng(0)
    layers = [
        kind(momentum=0.8, epsilon=0.01, dtype=policy) for kind in (BatchNormalization, keras.layers.BatchNormalization)
    ]
    x = ops.cast(generator.normal(3, 2, shape), layers[0].compute_dtype)
    upstream = ops.cast(generator.normal(size=shape), layers[0].compute_dtype)
    gamma, beta = generator.uniform(0.5, 2, (2, shape[-1]))
    for layer in layers:
        layer.build(shape)
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
        layer.moving_mean.assign(beta)
        layer.moving_variance.assign(gamma)
    for ours, theirs in zip(*(trained_once(layer, x, upstream, compiled) for layer in layers), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=2 * tolerance)


def test_inference_uses_the_moving_statistics_and_a_frozen_layer_keeps_them():
    layer = BatchNormalization()
    layer.build((None, 2))
    layer.moving_mean.assign([1.0, 2.0])
    layer.moving_variance.assign([4.0, 9.0])
    x = ops.convert_to_tensor(np.array([[3.0, 5.0]], np.float32))
    np.testing.assert_allclose(layer(x), [[1.0, 1.0]], rtol=1e-3)
    layer.trainable = False
    np.testing.assert_allclose(layer(x, training=True), [[1.0, 1.0]], rtol=1e-3)

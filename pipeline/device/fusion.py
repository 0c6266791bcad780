"""Element-wise formulas in one pass over memory, where the framework would take several.

On a CPU it is passes over memory, not arithmetic, that everything but convolutions costs, and TensorFlow makes one for
each operation, in bfloat16 a slow one. XLA compiles a formula into one loop; but it must get the formula alone, as its
convolutions are 5 to 10 times slower than the ones of oneDNN around it.
"""

import os
import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
from keras import ops

from pipeline.config.text import reason_of
from pipeline.device.accelerator import on_tensorflow_cpu
from pipeline.device.host import cpu_has_bfloat16


@cache
def one_pass(formula: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """An element-wise formula as one loop over its tensors, float32 inside where they are narrower.

    Under JAX there is nothing to do: the training step that it becomes a part of is compiled by XLA as a whole.

    Args:
        formula: Takes tensors and returns a tuple; each result gets the dtype of the argument in its place.
    """

    def in_float32(*tensors: Any) -> tuple[Any, ...]:
        wide = [ops.cast(t, keras.backend.result_type(t.dtype, "float32")) for t in tensors]
        return tuple(ops.cast(r, t.dtype) for r, t in zip(formula(*wide), tensors, strict=False))

    if keras.backend.backend() != "tensorflow" or xla_failure():
        return in_float32
    import tensorflow as tf

    return tf.function(in_float32, jit_compile=True, autograph=False)


def onednn_fuses(dtype: Any) -> bool:
    """Whether TensorFlow runs x·sigmoid(x) of that dtype, written so, as one kernel of oneDNN.

    It does in graphs on an x86 CPU, in the dtypes that the CPU computes in, and faster than XLA's loop, above all in
    bfloat16. Elsewhere the two operations would be two passes, and round twice. oneDNN has no kernel for the gradient.
    """
    if not on_tensorflow_cpu():
        return False
    import tensorflow as tf

    return (
        not tf.executing_eagerly()
        and platform.machine() in ("x86_64", "AMD64")
        and os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"
        and keras.backend.standardize_dtype(dtype) in ("float32", *(["bfloat16"] if cpu_has_bfloat16() else []))
    )


@cache
def xla_failure() -> str | None:
    """Why XLA cannot compile for TensorFlow's device, such as a missing ptxas; None if it can, and with JAX."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    with tf.init_scope():  # also while a function is being traced
        try:
            tf.function(lambda x: x * ops.sigmoid(x), jit_compile=True, autograph=False)(tf.ones(8))
        except tf.errors.OpError as error:
            return reason_of(error)
    return None

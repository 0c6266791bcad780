import keras
import numpy as np
import pytest
from keras import ops

from pipeline.device.fusion import one_pass


def third_root_of_cube_and_sum(x, y):
    """What float16 cannot hold in between: the cube of 100 is beyond its range."""
    return ops.power(x**3, 1 / 3), x + y


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_it_computes_in_float32_and_returns_the_dtypes_of_the_arguments(dtype):
    x, y = ops.cast([100.0], dtype), ops.cast([1 / 3], "float32")
    root, total = one_pass(third_root_of_cube_and_sum)(x, y)
    assert [keras.backend.standardize_dtype(t.dtype) for t in (root, total)] == [dtype, "float32"]
    assert float(ops.cast(root[0], "float32")) == pytest.approx(100, rel=2**-8)
    assert float(total[0]) == pytest.approx(100 + 1 / 3, abs=1e-5)


def test_a_formula_is_compiled_once():
    assert one_pass(third_root_of_cube_and_sum) is one_pass(third_root_of_cube_and_sum)


def test_every_shape_is_computed():
    for shape in ((), (3,), (2, 3, 4)):
        (result,) = one_pass(lambda x: (2 * x,))(ops.ones(shape))
        np.testing.assert_array_equal(result, 2 * np.ones(shape))

import keras
import numpy as np
import pytest
from keras import ops

from pipeline.device.fusion import one_pass, reason_of


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Graph execution error:\n\nDetected at node while/f defined at (most recent call last):\n"
            "<stack traces unavailable>\nDetected unsupported operations when trying to compile graph "
            "__inference_f_4[_XlaMustCompile=true,x=1] on GPU: AsString (No registered kernel)\n"
            "The op is created at: \nFile 'x.py', line 3, in <module>\n\t [[while/f]]",
            "Detected unsupported operations when trying to compile graph __inference_f_4 on GPU: "
            "AsString (No registered kernel)",
        ),
        ("", "ValueError"),
        ("x" * 999, "x" * 300),
    ],
)
def test_the_reason_of_an_error_is_one_line(text, reason):
    assert reason_of(ValueError(text)) == reason

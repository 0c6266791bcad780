"""Every operation of a training call has a kernel for GPUs. TensorFlow's registry tells so without a GPU."""

from collections import Counter
from dataclasses import replace
from functools import cache

import keras
import pytest
from trainers import CONFIG, simulate_gpu, take_turns, trainer

if keras.backend.backend() != "tensorflow":
    pytest.skip("asks the registry of TensorFlow", allow_module_level=True)

import tensorflow as tf
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

BATCH = 4


@cache
def kernels_of(op):
    return list(get_registered_kernels_for_op(op).kernel)


def has_kernel(op, types, devices):
    """Whether an operation with these types, by the name of the attribute, has a kernel for one of the devices."""

    def fits(kernel):
        return kernel.device_type in devices and all(
            constraint.name not in types or types[constraint.name] in constraint.allowed_values.list.type
            for constraint in kernel.constraint
        )

    return any(fits(kernel) for kernel in kernels_of(op))


def without_kernel(graph):
    """The operations without a kernel in a graph and all it calls, as (operation, types, whether XLA compiles it); and
    whether XLA compiles what it calls, for each function."""
    definition = graph.as_graph_def()
    library = {function.signature.name: function for function in definition.library.function}
    found, seen = set(), set()

    def walk(nodes, compiled):
        for node in nodes:
            types = {name: value.type for name, value in node.attr.items() if value.type}
            if not has_kernel(node.op, types, ["XLA_GPU_JIT"] if compiled else ["GPU", "DEFAULT"]):
                named = tuple(sorted(f"{name}={tf.as_dtype(kind).name}" for name, kind in types.items()))
                found.add((node.op, named, compiled))
            for value in node.attr.values():
                for called in filter(None, [value.func.name, *(function.name for function in value.list.func)]):
                    function = library[called]
                    inside = compiled or function.attr["_XlaMustCompile"].b
                    if (called, inside) not in seen:
                        seen.add((called, inside))
                        walk(function.node_def, inside)

    walk(definition.node, compiled=False)
    return found, {inside for _, inside in seen}


def called_from_outside(run):
    """The graph of a call of compiled steps."""
    return tf.function(lambda *inputs: run(*inputs), run.input_signature, autograph=False).get_concrete_function().graph


def resident_images(run):
    """The types in which the images are kept for compiled steps."""
    kept = run.get_concrete_function().captured_inputs
    return [tensor.dtype for tensor in kept if tuple(tensor.shape[1:]) == (28, 28, 1)]


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """XLA registers its kernels when it first compiles something."""
    tf.function(lambda x: x + 1, jit_compile=True)(1.0)
    if not has_kernel("MatMul", {"T": tf.float32.as_datatype_enum}, ["GPU"]):
        pytest.skip("this build of TensorFlow has no kernels for GPUs")


@pytest.mark.parametrize(
    ("architecture", "precision", "changes"),
    [
        ("ghouzam", "float32", {"optimizer": "rmsprop"}),
        ("deotte", "mixed_float16", {"optimizer": "adamw", "weight_decay": 0.01, "ema_momentum": 0.9}),
        ("residual", "mixed_bfloat16", {"optimizer": "adam", "ema_momentum": 0.9}),
    ],
)
def test_no_operation_of_a_training_call_needs_the_cpu(architecture, precision, changes, digits, monkeypatch):
    simulate_gpu(monkeypatch)
    take_turns(monkeypatch, architecture)
    train = replace(CONFIG, batch_size=BATCH, **changes)
    graph = called_from_outside(trainer(digits, train, precision, architecture=architecture).steps._run)
    assert without_kernel(graph) == (set(), {True})
    outside = Counter(operation.type for operation in graph.get_operations())
    assert outside.pop("StatefulPartitionedCall") == 1
    assert set(outside) <= {"Placeholder", "Const", "Identity", "NoOp"}


def test_nor_does_one_without_xla(digits, monkeypatch):
    simulate_gpu(monkeypatch)
    take_turns(monkeypatch, "ghouzam")
    train = replace(CONFIG, batch_size=BATCH, ema_momentum=0.9)
    steps = trainer(digits, train, "mixed_float16", architecture="ghouzam").steps
    assert resident_images(steps._run) == [tf.uint8]
    steps.refuse("for this test")
    assert resident_images(steps._run) == [tf.float16]  # there is no kernel that gathers uint8
    found, _ = without_kernel(called_from_outside(steps._run))
    assert found == set()

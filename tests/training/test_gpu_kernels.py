"""Every operation of a training call has a kernel for GPUs: TensorFlow's registry knows without a GPU."""

import inspect
import itertools
from dataclasses import replace
from functools import cache

import keras
import pytest
from trainers import CONFIG, simulate_gpu, trainer

from pipeline.config.schema import OWN_ACTIVATIONS
from pipeline.network import architectures
from pipeline.network.activations import activation_layer
from pipeline.network.architectures import ARCHITECTURES

if keras.backend.backend() != "tensorflow":
    pytest.skip("asks the registry of TensorFlow", allow_module_level=True)

import tensorflow as tf
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

BATCH = 4
# Each precision with another optimizer; loss scaling comes with float16.
PRECISIONS = {
    "float32": {"optimizer": "rmsprop"},
    "mixed_float16": {"optimizer": "adamw", "weight_decay": 0.01, "ema_momentum": 0.9},
    "mixed_bfloat16": {"optimizer": "adam", "ema_momentum": 0.9},
}


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


def without_kernel(graph, compiled=False):
    """The operations without a kernel, (operation, types, inside what XLA compiles), in a graph and all it calls."""
    definition = graph.as_graph_def()
    library = {function.signature.name: function for function in definition.library.function}
    found, seen = set(), set()

    def walk(nodes, compiled):
        for node in nodes:
            types = {name: value.type for name, value in node.attr.items() if value.type}
            devices = ["XLA_GPU_JIT"] if compiled else ["GPU", "DEFAULT"]
            if not has_kernel(node.op, types, devices):
                named = tuple(sorted(f"{name}={tf.as_dtype(kind).name}" for name, kind in types.items()))
                found.add((node.op, named, compiled))
            for value in node.attr.values():
                for called in filter(None, [value.func.name, *(function.name for function in value.list.func)]):
                    function = library[called]
                    inside = compiled or function.attr["_XlaMustCompile"].b
                    if (called, inside) not in seen:
                        seen.add((called, inside))
                        walk(function.node_def, inside)

    walk(definition.node, compiled)
    assert any(inside for _, inside in seen)
    return found


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """XLA registers its kernels when it first compiles something."""
    tf.function(lambda x: x + 1, jit_compile=True)(1.0)
    if not has_kernel("MatMul", {"T": tf.float32.as_datatype_enum}, ["GPU"]):
        pytest.skip("this build of TensorFlow has no kernels for GPUs")


def take_turns(monkeypatch):
    """Give each layer the activation of the next arm, so that one network holds the operations of all arms."""
    arms = itertools.cycle(OWN_ACTIVATIONS)
    monkeypatch.setattr(architectures, "activation_layer", lambda _, dtype: activation_layer(next(arms), dtype))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_operation_of_a_training_call_needs_the_cpu(architecture, precision, digits, monkeypatch):
    simulate_gpu(monkeypatch)
    take_turns(monkeypatch)
    config = replace(CONFIG, batch_size=BATCH, **PRECISIONS[precision])
    steps = trainer(digits, config, precision, architecture=architecture)._run
    assert without_kernel(steps._compiled.get_concrete_function().graph) == set()


def test_see(digits, monkeypatch):
    simulate_gpu(monkeypatch)
    import time
    for a in ARCHITECTURES:
        t = trainer(digits, replace(CONFIG, batch_size=BATCH, **PRECISIONS["mixed_float16"]), "mixed_float16", architecture=a)
        t0 = time.time()
        print(a, without_kernel(t._run._plain.get_concrete_function().graph), time.time()-t0)
        n = len(t.network.trainable_variables)
        def grad(x, *values):
            weights, state = values[:n], values[n:]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                y, state = t.network.stateless_call(weights, state, x, training=True)
                loss = tf.reduce_sum(y)
            return tape.gradient(loss, weights), state
        spec = lambda vs: [tf.TensorSpec(v.shape, v.dtype) for v in vs]
        f = tf.function(grad, jit_compile=True, autograph=False)
        ir = f.experimental_get_compiler_ir(tf.TensorSpec((BATCH, 28, 28, 1)), *spec(t.network.trainable_variables), *spec(t.network.non_trainable_variables))(stage="hlo", platform_name="GPU")
        print(a, len(ir), time.time() - t0)
    assert 0

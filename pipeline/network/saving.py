"""What a saved network says of our own layers and functions, so that it loads again.

`import keras, pipeline.network.architectures` makes them known to Keras, and so does `import kernel` beside a bundle;
then `keras.saving.load_model("model.keras")` works.
"""

from collections.abc import Callable
from typing import TypeVar

import keras

Registered = TypeVar("Registered")


def saved_as(module: str) -> Callable[[Registered], Registered]:
    """A decorator that registers a class or function with Keras as "pipeline>NAME" of that module.

    Args:
        module: Where it is in the package. Keras saves this name, which in a bundle would be the one of a worker's main
            module, where no later process finds anything.
    """

    def register(thing: Registered) -> Registered:
        thing.__module__ = module
        return keras.saving.register_keras_serializable(package="pipeline")(thing)

    return register

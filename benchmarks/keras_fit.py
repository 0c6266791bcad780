"""The blog post's experiment the way the blog post ran it: Keras's `fit`, fed by ImageDataGenerator, in float32.

Two concessions, because Keras had neither problem when the post was written. `jit_compile=False`: Keras 3 would
compile the step by XLA, whose convolutions are several times slower on a CPU. And batches reach `fit` through a tf.data
pipeline without autotuner: the one that Keras makes itself waits for its autotuner at the end of an epoch, for up to as
long as that epoch took.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.contest import Pause
from pipeline.config.schema import MemberSpec
from pipeline.data.digits import load
from pipeline.data.folds import split_rows


def plain_swish(x: Any) -> Any:
    """Swish as most notebooks have it."""
    return tf.sigmoid(x) * x


def network(activation: str) -> keras.Model:
    """The blog post's network, compiled."""
    function = plain_swish if activation == "swish" else activation
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 5, padding="same", activation=function),
            layers.Conv2D(32, 5, padding="same", activation=function),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Conv2D(64, 3, padding="same", activation=function),
            layers.Conv2D(64, 3, padding="same", activation=function),
            layers.MaxPooling2D(strides=2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(256, activation=function),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(0.001),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def train(pause: Pause, _: int, spec: MemberSpec, data: str) -> None:
    """Train the blog post's network on the rows of that member, with its activation and seed, until stopped."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    keras.utils.set_random_seed(spec.seed)
    digits = load(data)
    images = digits.images[..., None].astype(np.float32) / 255
    labels = keras.utils.to_categorical(digits.labels, 10)
    training, validation = split_rows(spec, digits)
    generator = ImageDataGenerator(rotation_range=10, zoom_range=0.1, width_shift_range=0.1, height_shift_range=0.1)
    flow = generator.flow(images[training], labels[training], batch_size=spec.recipe.train.batch_size)
    model, plateau = network(spec.activation), Plateau("val_accuracy", factor=0.5, patience=3, min_lr=1e-5)
    training_batches = batches_of(lambda: (flow[i] for i in range(len(flow))))
    validation_batches = batches_of(lambda: iter([(images[validation], labels[validation])]))
    for epoch in itertools.count():
        history = model.fit(
            training_batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            validation_data=validation_batches,
            callbacks=[plateau],
            verbose=0,
        ).history
        flow.on_epoch_end()
        pause({"validation_accuracy": history["val_accuracy"][-1]})


def batches_of(generator: Callable[[], Iterator[tuple[Any, Any]]]) -> tf.data.Dataset:
    """Batches of images and one-hot labels as `fit` takes them, prepared while it trains."""
    shapes = (tf.TensorSpec((None, 28, 28, 1), tf.float32), tf.TensorSpec((None, 10), tf.float32))
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_generator(generator, output_signature=shapes).prefetch(2).with_options(options)


class Plateau(keras.callbacks.ReduceLROnPlateau):
    """ReduceLROnPlateau that goes on counting in the next call of `fit`."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Do not start anew."""

"""The source's experiment the way the source ran it: Keras's `fit`, fed by ImageDataGenerator, in float32.

The one mercy: `jit_compile=False`. Keras 3 would compile the step by XLA, whose convolutions are several times slower
on a CPU; the Keras of the source's days did not.
"""

import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.contest import Pause
from pipeline.config import MemberSpec
from pipeline.data import load
from pipeline.train import split_rows


def plain_swish(x: Any) -> Any:
    """Swish as most notebooks have it."""
    return tf.sigmoid(x) * x


def network(activation: str) -> keras.Model:
    """The source's network, compiled."""
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
    """Train the source's network on the rows of that member, with its activation and seed, until stopped."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    keras.utils.set_random_seed(spec.seed)
    digits = load(data)
    images = digits.images[..., None].astype(np.float32) / 255
    labels = keras.utils.to_categorical(digits.labels, 10)
    training, validation = split_rows(spec, digits)
    generator = ImageDataGenerator(rotation_range=10, zoom_range=0.1, width_shift_range=0.1, height_shift_range=0.1)
    flow = generator.flow(images[training], labels[training], batch_size=spec.train.batch_size)
    model, plateau = network(spec.activation), Plateau("val_accuracy", factor=0.5, patience=3, min_lr=1e-5)
    # One call an epoch, as nothing of TensorFlow's may wait while others compete: destroying a tf.data iterator takes
    # the longer the older it is.
    for epoch in itertools.count():
        history = model.fit(
            flow,
            initial_epoch=epoch,
            epochs=epoch + 1,
            validation_data=(images[validation], labels[validation]),
            callbacks=[plateau],
            verbose=0,
        ).history
        pause({"validation_accuracy": history["val_accuracy"][-1]})


class Plateau(keras.callbacks.ReduceLROnPlateau):
    """ReduceLROnPlateau that goes on counting in the next call of `fit`."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Do not start anew."""

"""Random affine distortion of a batch of images: one composed transform and one bilinear resampling per image.

The draws are made with NumPy, so they are the same for every backend and device; the resampling is one `keras.ops`
call that runs inside the compiled training step.
"""

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline.config.schema import AugmentConfig


def draw_transforms(
    config: AugmentConfig, count: int, generator: np.random.Generator, side: int = 28
) -> NDArray[np.float32]:
    """Draw one affine transform per image: zoom about the centre, then rotation about it, then shift.

    Each is uniform over its range and independent of the others; the two axes zoom and shift independently.

    Args:
        config: Largest rotation (degrees), zoom and shift (fractions).
        count: Number of images.
        generator: Source of the draws; five uniforms per image.
        side: Height and width of the images, in pixels.

    Returns:
        float32 of shape (count, 8), rows (a, b, c, d, e, f, 0, 0): the output pixel (x, y) takes its value from
        the input position (ax + by + c, dx + ey + f), x to the right and y downwards, in pixels.
    """
    angle, zoom_x, zoom_y, shift_x, shift_y = generator.uniform(-1, 1, (5, count))
    angle *= np.deg2rad(config.rotation)
    zoom_x, zoom_y = 1 + config.zoom * zoom_x, 1 + config.zoom * zoom_y
    shift_x, shift_y = config.shift * side * shift_x, config.shift * side * shift_y

    # Forward: output = R Z (input - centre) + centre + shift. Resampling needs the inverse: input from output.
    cos, sin = np.cos(angle), np.sin(angle)
    a, b = cos / zoom_x, sin / zoom_x
    d, e = -sin / zoom_y, cos / zoom_y
    centre = (side - 1) / 2
    c = centre - a * (centre + shift_x) - b * (centre + shift_y)
    f = centre - d * (centre + shift_x) - e * (centre + shift_y)
    return np.stack([a, b, c, d, e, f, np.zeros(count), np.zeros(count)], axis=1).astype(np.float32)


def apply_transforms(images: Any, transforms: Any) -> Any:
    """Resample each image once, bilinearly; outside of an image is 0, the background of the digits.

    Args:
        images: Tensor of shape (n, height, width, 1), any real dtype.
        transforms: float32 of shape (n, 8), as `draw_transforms` returns.

    Returns:
        float32 tensor of the shape of `images`, within the range of its values and 0.
    """
    return ops.image.affine_transform(ops.cast(images, "float32"), transforms, interpolation="bilinear")

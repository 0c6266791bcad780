"""Random distortion of a batch of images: one displacement field and one bilinear resampling per image.

A field is an affine map (zoom, shear, rotation, shift) plus an elastic part: the nodes of a coarse grid are moved at
random, and every pixel in between follows by cubic interpolation (Keys 1981,
https://doi.org/10.1109/TASSP.1981.1163711).

The draws are made with NumPy, so they are the same for every backend and device. The resampling is written in
`keras.ops` and runs inside the compiled training step. Only it loads Keras: the report, which shows some distortions,
does without.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import AugmentConfig

ELASTIC_NODES = 4  # along each axis: with 28 pixels, one on every ninth from the first to the last
AFFINE = 6
DRAWS_PER_IMAGE = AFFINE + 2 * ELASTIC_NODES**2


def draw_transforms(
    config: AugmentConfig, count: int, generator: np.random.Generator, side: int = 28
) -> NDArray[np.float32]:
    """Draw one distortion per image: zoom about the centre, then shear, rotation, shift and elastic moves.

    Each is uniform over its range and independent of the others. The two axes zoom and shift independently, and each
    elastic node moves independently along both.

    Args:
        config: Largest rotation and shear (degrees), zoom and shift (fractions), elastic move (pixels).
        count: Number of images.
        generator: Source of the draws. Those of shear and elastic come last, so the others do not depend on them.
        side: Height and width of the images, in pixels.

    Returns:
        float32 of shape (count, DRAWS_PER_IMAGE), rows (a, b, c, d, e, f, u..., v...): the output pixel (x, y) takes
        its value from the input position (ax + by + c + U(x, y), dx + ey + f + V(x, y)), x to the right and y
        downwards, in pixels. U and V interpolate the nodes' moves u and v, which are stored row by row.
    """
    angle, zoom_x, zoom_y, shift_x, shift_y = generator.uniform(-1, 1, (5, count))
    slant = np.tan(np.deg2rad(config.shear) * generator.uniform(-1, 1, count))
    nodes = config.elastic * generator.uniform(-1, 1, (count, 2 * ELASTIC_NODES**2))
    angle *= np.deg2rad(config.rotation)
    zoom_x, zoom_y = 1 + config.zoom * zoom_x, 1 + config.zoom * zoom_y
    shift_x, shift_y = config.shift * side * shift_x, config.shift * side * shift_y

    # Forward: output = R S Z (input - centre) + centre + shift. Resampling needs the inverse: input from output.
    cos, sin = np.cos(angle), np.sin(angle)
    a, b = (cos + slant * sin) / zoom_x, (sin - slant * cos) / zoom_x
    d, e = -sin / zoom_y, cos / zoom_y
    centre = (side - 1) / 2
    c = centre - a * (centre + shift_x) - b * (centre + shift_y)
    f = centre - d * (centre + shift_x) - e * (centre + shift_y)
    return np.concatenate([np.stack([a, b, c, d, e, f], axis=1), nodes], axis=1).astype(np.float32)


def apply_transforms(images: Any, transforms: Any) -> Any:
    """Resample each image once, bilinearly; outside of an image is 0, the background of the digits.

    Args:
        images: Tensor of shape (n, side, side, 1), any real dtype.
        transforms: float32 of shape (n, DRAWS_PER_IMAGE), as `draw_transforms` returns.

    Returns:
        float32 tensor of the shape of `images`, within the range of its values and 0.

    Example:
        A stroke is turned to the right:

        >>> import numpy as np
        >>> from pipeline.config.schema import AugmentConfig
        >>> from pipeline.data.augment import apply_transforms, draw_transforms
        >>> image = np.zeros((1, 5, 5, 1), np.uint8)
        >>> image[0, 1:4, 2] = 9
        >>> turned = AugmentConfig(rotation=45, zoom=0, shift=0)
        >>> transforms = draw_transforms(turned, 1, np.random.default_rng(4), side=5)
        >>> print(np.asarray(apply_transforms(image, transforms))[0, :, :, 0].round())
        [[0. 0. 0. 0. 0.]
         [0. 0. 3. 5. 0.]
         [0. 2. 9. 2. 0.]
         [0. 5. 3. 0. 0.]
         [0. 0. 0. 0. 0.]]
    """
    import keras
    from keras import ops

    side = images.shape[1]
    x, y = positions(ops.convert_to_tensor(transforms), side, ops)
    left, top = ops.floor(x), ops.floor(y)

    # With a margin of zeros, all four neighbours of a position exist: one pixel before the image and two behind it.
    width = side + 3
    pixels = ops.reshape(ops.pad(ops.cast(images, "float32"), [[0, 0], [1, 2], [1, 2], [0, 0]]), (-1,))
    # int64: TensorFlow keeps int32 tensors in the host's memory. float32 is exact here, within one image.
    integer = "int64" if keras.backend.backend() == "tensorflow" else "int32"
    first = ops.expand_dims(ops.arange(ops.shape(images)[0], dtype=integer) * width**2, 1)
    index = first + ops.cast((top + 1) * width + (left + 1), integer)

    def row(start: int) -> Any:
        values, right_values = (ops.take(pixels[offset:], index) for offset in (start, start + 1))
        return (left + 1 - x) * values + (x - left) * right_values

    resampled = (top + 1 - y) * row(0) + (y - top) * row(width)
    return ops.reshape(resampled, (-1, side, side, 1))


def positions(transforms: Any, side: int, ops: Any) -> tuple[Any, Any]:
    """Where each output pixel comes from, x and y of shape (n, side²), at most one pixel outside of the image.

    `ops` does the arithmetic: `keras.ops`, or numpy.
    """
    a, b, c, d, e, f = (transforms[:, i : i + 1] for i in range(AFFINE))
    nodes = ops.reshape(transforms[:, AFFINE:], (-1, ELASTIC_NODES**2))
    moves = ops.reshape(ops.matmul(nodes, _elastic_basis(side)), (-1, 2, side**2))
    pixel = np.arange(side, dtype=np.float32)
    x, y = np.tile(pixel, side), np.repeat(pixel, side)
    return (
        ops.clip(a * x + b * y + c + moves[:, 0], -1, side),
        ops.clip(d * x + e * y + f + moves[:, 1], -1, side),
    )


@cache
def _elastic_basis(side: int) -> NDArray[np.float32]:
    """How much each pixel follows each node, shape (ELASTIC_NODES², side²): Keys's kernel along both axes.

    A node outside of the grid, which the kernel needs at the border, moves as the nearest one inside.
    """
    position = np.arange(side) * (ELASTIC_NODES - 1) / (side - 1)
    along = np.zeros((ELASTIC_NODES, side))
    for node in range(-1, ELASTIC_NODES + 1):
        t = np.abs(position - node)
        near, far = 1 + t**2 * (1.5 * t - 2.5), 2 + t * (-4 + t * (2.5 - 0.5 * t))
        along[np.clip(node, 0, ELASTIC_NODES - 1)] += np.select([t <= 1, t <= 2], [near, far], 0)
    return np.kron(along, along).astype(np.float32)

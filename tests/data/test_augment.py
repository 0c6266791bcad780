import keras
import numpy as np
import pytest
from keras import ops
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import map_coordinates
from trainers import compiled

from pipeline.config.schema import AugmentConfig
from pipeline.data.augment import AFFINE, DRAWS_PER_IMAGE, ELASTIC_NODES, apply_transforms, draw_transforms

SOURCES = AugmentConfig(rotation=10, zoom=0.1, shift=0.1)
EVERYTHING = AugmentConfig(rotation=20, zoom=0.2, shift=0.1, shear=15, elastic=2)
OUT_OF_THE_IMAGE = AugmentConfig(rotation=180, zoom=0.5, shift=0.5, shear=45, elastic=2)
OFF = AugmentConfig(rotation=0, zoom=0, shift=0, shear=0, elastic=0)
CENTRE = 13.5


def generator():
    return np.random.default_rng(7)


def interpolated(nodes):
    """The moves of all pixels by SciPy: a spline whose slope at a node is that between its neighbours."""
    positions = np.linspace(0, 27, ELASTIC_NODES)
    for axis in (0, 1):
        padded = np.pad(nodes, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        slopes = np.gradient(padded, 9.0, axis=axis).take(range(1, ELASTIC_NODES + 1), axis)
        nodes = CubicHermiteSpline(positions, nodes, slopes, axis=axis)(np.arange(28))
    return nodes


def scipy_transform(image, t):
    """The same map by SciPy, whose coordinates are (row, column) and so (y, x)."""
    a, b, c, d, e, f = t[:AFFINE].astype(np.float64)
    moves_x, moves_y = t[AFFINE:].astype(np.float64).reshape(2, ELASTIC_NODES, ELASTIC_NODES)
    y, x = np.mgrid[:28, :28]
    source_x = a * x + b * y + c + interpolated(moves_x)
    source_y = d * x + e * y + f + interpolated(moves_y)
    return map_coordinates(image.astype(np.float64), [source_y, source_x], order=1, mode="grid-constant", cval=0.0)


@pytest.mark.parametrize("how", [lambda f: f, compiled], ids=["eager", "compiled"])
@pytest.mark.parametrize("config", [SOURCES, EVERYTHING, OUT_OF_THE_IMAGE])
def test_resampling_is_scipys_map_coordinates(digits, how, config):
    transforms = draw_transforms(config, 100, generator())
    ours = np.asarray(how(apply_transforms)(ops.convert_to_tensor(digits.images[..., None]), transforms))
    assert ours.dtype == np.float32
    assert ours.shape == (100, 28, 28, 1)
    theirs = np.stack([scipy_transform(image, t) for image, t in zip(digits.images, transforms, strict=True)])
    np.testing.assert_allclose(ours[..., 0], theirs, atol=0.05)  # of 255


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the bits of TensorFlow on a CPU")
def test_an_affine_map_has_the_bits_of_tensorflows_own_resampling(digits):
    transforms = draw_transforms(SOURCES, 100, generator())
    projective = np.pad(transforms[:, :AFFINE], [(0, 0), (0, 2)])
    images = ops.cast(digits.images[..., None], "float32")
    theirs = ops.image.affine_transform(images, projective, interpolation="bilinear")
    np.testing.assert_array_equal(apply_transforms(digits.images[..., None], transforms), theirs)


def test_zero_strength_is_the_identity(digits):
    out = np.asarray(apply_transforms(digits.images[..., None], draw_transforms(OFF, 100, generator())))
    assert (out[..., 0] == digits.images).all()


def test_a_shift_moves_ink_to_the_right_and_down_by_whole_pixels():
    transforms = draw_transforms(OFF, 1, generator())
    transforms[0, [2, 5]] -= [3, 1]  # output (x, y) from input (x - 3, y - 1)
    image = np.zeros((1, 28, 28, 1), np.uint8)
    image[0, 10, 5] = 200
    out = np.asarray(apply_transforms(image, transforms))
    assert np.argwhere(out[0, ..., 0]).tolist() == [[11, 8]]


def test_an_elastic_node_moves_its_pixel_by_its_draw_and_no_other_node():
    transforms = draw_transforms(OFF, 1, generator())
    transforms[0, AFFINE + 1 * ELASTIC_NODES + 2] = 2  # x from 2 pixels further right at the node of row 9, column 18
    image = np.zeros((1, 28, 28, 1), np.uint8)
    image[0, 9, [0, 9, 20, 27], 0] = 100, 120, 200, 140
    out = np.asarray(apply_transforms(image, transforms))[0, 9, :, 0]
    np.testing.assert_allclose(out[[0, 9, 18, 27]], [100, 120, 200, 140], atol=1e-3)


class Fixed:
    """A generator whose draws are given, in [-1, 1]: angle, both zooms, both shifts; shear; elastic; then 0."""

    def __init__(self, *affine, shear=0.0, elastic=0.0):
        self.draws = [np.array(affine, dtype=float)[:, None], np.full(1, shear), np.full((1, 32), elastic)]

    def uniform(self, *_):
        return self.draws.pop(0) if self.draws else 0.0


def at(t, x, y):
    return [t[0] * x + t[1] * y + t[2], t[3] * x + t[4] * y + t[5]]


@pytest.mark.parametrize(
    ("config", "draws", "output", "source"),
    [
        ({"rotation": 90}, Fixed(1, 0, 0, 0, 0), (1, 0), (0, -1)),
        ({"zoom": 0.1}, Fixed(0, 1, -1, 0, 0), (1.1, 0.9), (1, 1)),
        ({"shift": 0.1}, Fixed(0, 0, 0, 1, -1), (2.8, -2.8), (0, 0)),
        # Slanted by 45 degrees, the vertical through the centre is the diagonal.
        ({"shear": 45}, Fixed(0, 0, 0, 0, 0, shear=1), (3, 3), (0, 3)),
        # Zoom, then shear: 2 up is 2.2 up, moved left by as much.
        ({"shear": 45, "zoom": 0.1}, Fixed(0, 0, 1, 0, 0, shear=1), (-2.2, -2.2), (0, -2)),
        # Zoom, rotation, shift: right of the centre goes up by the zoomed distance, then right.
        ({"rotation": 90, "zoom": 0.1, "shift": 0.1}, Fixed(-1, 1, 0, 1, 0), (2.8, -1.1), (1, 0)),
        # Shear, then rotation: (0, 1) is slanted to (1, 1), a quarter turn makes it (1, -1).
        ({"rotation": 90, "shear": 45}, Fixed(-1, 0, 0, 0, 0, shear=1), (1, -1), (0, 1)),
    ],
)
def test_the_largest_draws_by_hand(config, draws, output, source):
    strengths = {"rotation": 0, "zoom": 0, "shift": 0} | config
    transform = draw_transforms(AugmentConfig(**strengths), 1, draws)[0]
    np.testing.assert_allclose(at(transform, *np.add(CENTRE, output)), np.add(CENTRE, source), atol=1e-5)


def test_draws_fill_their_ranges_and_depend_on_the_generator_alone():
    transforms = draw_transforms(AugmentConfig(rotation=10, zoom=0.1, shift=0.1, elastic=1.5), 20_000, generator())
    assert transforms.shape == (20_000, DRAWS_PER_IMAGE)
    a, b, _, d, e, _ = transforms.T[:AFFINE].astype(np.float64)
    zoom_x, zoom_y = 1 / np.hypot(a, b), 1 / np.hypot(d, e)
    angle = np.rad2deg(np.arctan2(b, a))
    first, last = transforms[:, AFFINE], transforms[:, -1]
    ranges = ((angle, -10, 10), (zoom_x, 0.9, 1.1), (zoom_y, 0.9, 1.1), (first, -1.5, 1.5), (last, -1.5, 1.5))
    for values, low, high in ranges:
        assert low - 1e-4 <= values.min() < low + 0.02 * (high - low)
        assert high + 1e-4 >= values.max() > high - 0.02 * (high - low)
        assert abs(values.mean() - (low + high) / 2) < 0.02 * (high - low)
    for one, other in ((zoom_x, zoom_y), (first, last), (first, angle)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.05
    again, others = (
        draw_transforms(SOURCES, 20_000, generator()),
        draw_transforms(SOURCES, 20_000, np.random.default_rng(8)),
    )
    assert (transforms[:, :AFFINE] == again[:, :AFFINE]).all()  # whatever the elastic moves
    assert (transforms[:, :AFFINE] != others[:, :AFFINE]).any()

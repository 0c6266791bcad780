import keras
import numpy as np
import pytest
from keras import ops
from scipy.ndimage import affine_transform

from pipeline.config.schema import AugmentConfig
from pipeline.data.augment import apply_transforms, draw_transforms

FULL = AugmentConfig(rotation=10, zoom=0.1, shift=0.1)


def generator():
    return np.random.default_rng(7)


def scipy_transform(image, t):
    """The same map by SciPy, whose coordinates are (row, column) and so (y, x)."""
    matrix, offset = [[t[4], t[3]], [t[1], t[0]]], [t[5], t[2]]
    return affine_transform(image.astype(np.float64), matrix, offset, order=1, mode="grid-constant", cval=0.0)


def compiled(function):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


@pytest.mark.parametrize("how", [lambda f: f, compiled], ids=["eager", "compiled"])
@pytest.mark.parametrize("config", [FULL, AugmentConfig(rotation=180, zoom=0.5, shift=0.5)])
def test_resampling_is_scipys_affine_transform(digits, how, config):
    transforms = draw_transforms(config, 100, generator())
    ours = np.asarray(how(apply_transforms)(ops.convert_to_tensor(digits.images[..., None]), transforms))
    assert ours.dtype == np.float32
    assert ours.shape == (100, 28, 28, 1)
    theirs = np.stack([scipy_transform(image, t) for image, t in zip(digits.images, transforms, strict=True)])
    np.testing.assert_allclose(ours[..., 0], theirs, atol=0.05)  # of 255


def test_zero_strength_is_the_identity(digits):
    transforms = draw_transforms(AugmentConfig(0, 0, 0), 100, generator())
    out = np.asarray(apply_transforms(ops.convert_to_tensor(digits.images[..., None]), transforms))
    assert (out[..., 0] == digits.images).all()


def test_a_shift_moves_ink_to_the_right_and_down_by_whole_pixels():
    transforms = draw_transforms(AugmentConfig(0, 0, 0), 1, generator())
    transforms[0, [2, 5]] -= [3, 1]  # output (x, y) from input (x - 3, y - 1)
    image = np.zeros((1, 28, 28, 1), np.uint8)
    image[0, 10, 5] = 200
    out = np.asarray(apply_transforms(image, transforms))
    assert np.argwhere(out[0, ..., 0]).tolist() == [[11, 8]]


class Fixed:
    """A generator whose draws are given, in [-1, 1]: angle, zoom x, zoom y, shift x, shift y."""

    def __init__(self, *draws):
        self.draws = np.array(draws, dtype=float)[:, None]

    def uniform(self, *_):
        return self.draws.copy()


def at(t, x, y):
    return [t[0] * x + t[1] * y + t[2], t[3] * x + t[4] * y + t[5]]


def test_the_largest_draws_by_hand():
    centre = 13.5
    turned = draw_transforms(AugmentConfig(rotation=90, zoom=0, shift=0), 1, Fixed(1, 0, 0, 0, 0))[0]
    np.testing.assert_allclose(at(turned, centre + 1, centre), [centre, centre - 1], atol=1e-5)
    zoomed = draw_transforms(AugmentConfig(rotation=0, zoom=0.1, shift=0), 1, Fixed(0, 1, -1, 0, 0))[0]
    np.testing.assert_allclose(at(zoomed, centre + 1.1, centre + 0.9), [centre + 1, centre + 1], atol=1e-5)
    shifted = draw_transforms(AugmentConfig(rotation=0, zoom=0, shift=0.1), 1, Fixed(0, 0, 0, 1, -1))[0]
    np.testing.assert_allclose(at(shifted, centre + 2.8, centre - 2.8), [centre, centre], atol=1e-5)
    # Zoom, then rotation, then shift: a point right of the centre goes up by the zoomed distance, then right.
    all_three = draw_transforms(AugmentConfig(90, 0.1, 0.1), 1, Fixed(-1, 1, 0, 1, 0))[0]
    np.testing.assert_allclose(at(all_three, centre + 2.8, centre - 1.1), [centre + 1, centre], atol=1e-5)


def test_draws_fill_their_ranges_and_depend_on_the_generator_alone():
    transforms = draw_transforms(FULL, 20_000, generator())
    a, b, _, d, e, _ = transforms.T[:6].astype(np.float64)
    zoom_x, zoom_y = 1 / np.hypot(a, b), 1 / np.hypot(d, e)
    angle = np.rad2deg(np.arctan2(b, a))
    for values, low, high in ((angle, -10, 10), (zoom_x, 0.9, 1.1), (zoom_y, 0.9, 1.1)):
        assert low - 1e-4 <= values.min() < low + 0.02 * (high - low)
        assert high + 1e-4 >= values.max() > high - 0.02 * (high - low)
        assert abs(values.mean() - (low + high) / 2) < 0.02 * (high - low)
    assert abs(np.corrcoef(zoom_x, zoom_y)[0, 1]) < 0.05
    assert (transforms == draw_transforms(FULL, 20_000, generator())).all()
    assert (transforms != draw_transforms(FULL, 20_000, np.random.default_rng(8))).any()

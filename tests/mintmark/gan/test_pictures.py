import io

import numpy as np
import pytest

from mintmark.gan.pictures import sample_grid


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_grid_names_its_rows_and_shows_every_image(channels):
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 6, channels)).astype(np.uint8)
    figure = sample_grid(images, row_names=["a", "b", "c"], title="Samples")
    assert [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()] == ["a", "b", "c"]
    assert sum(len(axis.images) for axis in figure.axes) == 15
    figure.savefig(io.BytesIO(), format="png")


def test_a_missing_row_name_is_refused():
    with pytest.raises(ValueError, match="row_names must be 2, got 1"):
        sample_grid(np.zeros((2, 1, 8, 8, 1), np.uint8), row_names=["a"], title="Samples")

from typing import Any

import pytest

from mintmark.gan import sizes
from mintmark.gan.augmentation import NONE
from mintmark.gan.config import Config, Recipe


@pytest.mark.parametrize(
    ("shape", "num_records", "expected"),
    [
        ((8, 8, 1), 809, (32, 16, 128)),  # what was tuned on the digits
        ((28, 28, 1), 60_000, (32, 16, 128)),
        ((32, 32, 3), 100_000, (32, 16, 128)),
        ((33, 8, 1), 1000, (16, 8, 64)),
        ((64, 64, 1), 182, (16, 8, 64)),
        ((128, 128, 3), 1000, (8, 8, 32)),
        ((256, 256, 3), 100_000, (8, 8, 16)),
        ((64, 256, 1), 1000, (8, 8, 16)),
        ((8, 8, 1), 50, (32, 16, 32)),
        ((8, 8, 1), 1, (32, 16, 16)),
    ],
)
def test_sizes_follow_the_longest_side_and_the_records(shape, num_records, expected):
    found = (
        sizes.generator_width(shape),
        sizes.discriminator_width(shape),
        sizes.batch_size(shape, num_records=num_records),
    )
    assert found == expected


def test_only_what_is_open_is_settled(tiny_config):
    given = tiny_config()
    values: dict[str, Any] = {name: getattr(given, name) for name in Recipe.__dataclass_fields__}
    values["generator_width"] = "auto"
    recipe = Recipe(**values)
    settled = recipe.settled((64, 64, 1), num_records=500)
    assert isinstance(settled, Config)
    assert (settled.generator_width, settled.discriminator_width, settled.batch_size) == (16, 4, 12)
    assert given.settled((64, 64, 1), num_records=500) == given


def test_many_records_are_not_augmented(tiny_config):
    recipe = tiny_config()
    assert recipe.augmented_below == 1000
    assert recipe.settled((8, 8, 1), num_records=999).augmentation == recipe.augmentation != NONE
    assert recipe.settled((8, 8, 1), num_records=1000).augmentation == NONE

"""Widths and batch sizes by the images' size and number: the one place of what "auto" means in a recipe.

Up to 32 pixels a side, what was tuned on the 8x8 digits. Beyond, the full resolution costs most: there channels halve as
the side doubles, and the batch as the area doubles twice, so that a step's memory stays about the same.
"""

LARGEST_FULL = 32  # pixels of the longest side that take the full width and batch
FULL_WIDTH, LEAST_WIDTH = 32, 8  # channels of the generator
FULL_BATCH, LEAST_BATCH = 128, 16


def generator_width(shape: tuple[int, int, int]) -> int:
    """32 channels up to 32 pixels, 16 up to 64, then 8."""
    return max(LEAST_WIDTH, FULL_WIDTH // _times(shape))


def discriminator_width(shape: tuple[int, int, int]) -> int:
    """16 channels up to 32 pixels, then 8."""
    return max(LEAST_WIDTH, FULL_WIDTH // 2 // _times(shape))


def batch_size(shape: tuple[int, int, int], *, num_records: int) -> int:
    """128 up to 32 pixels, 64 up to 64, 32 up to 128, then 16; with fewer records, the power of two below, at least 16."""
    few = max(LEAST_BATCH, 1 << (max(1, num_records).bit_length() - 1))
    return min(few, max(LEAST_BATCH, FULL_BATCH // _times(shape)))


def _times(shape: tuple[int, int, int]) -> int:
    """The power of two by which the longest side exceeds `LARGEST_FULL`, rounded up; 1 if it does not."""
    times = 1
    while LARGEST_FULL * times < max(shape[:2]):
        times *= 2
    return times

"""The kernel distance between two sets of features: the squared maximum mean discrepancy, unbiased.

With the cubic kernel of the Kernel Inception Distance (Binkowski et al. 2018, section 4). Unlike the Fréchet distance
its expectation does not depend on the number of records: it is 0 between two samples of one population, so that a
single figure may lie below 0. In double precision: the cubes of large features cancel.
"""

import torch
from jaxtyping import Float

BLOCK_ELEMENTS = 1 << 24


def kernel_distance(
    first: Float[torch.Tensor, "n features"],
    second: Float[torch.Tensor, "m features"],
    *,
    block_elements: int = BLOCK_ELEMENTS,
) -> float:
    """The U-statistic of MMD^2 (Gretton et al. 2012, equation 3) with k(x, y) = (x.y / features + 1)^3.

    Args:
        first: At least two records.
        second: At least two records.
        block_elements: Bound on the elements of one block of kernel values.

    Raises:
        ValueError: a set holds fewer than two records.
    """
    for points in (first, second):
        if len(points) < 2:
            raise ValueError(f"a set must hold at least two records to be compared with itself, got {len(points)}")
    first, second = first.double(), second.double()
    between = _total(first, second, block_elements) / (len(first) * len(second))
    return _within(first, block_elements) + _within(second, block_elements) - 2 * between


def _within(points: torch.Tensor, block_elements: int) -> float:
    """Mean kernel of two different records of one set."""
    own = _cubic(points.square().sum(dim=1), points.shape[1])
    return (_total(points, points, block_elements) - float(own.sum())) / (len(points) * (len(points) - 1))


def _total(first: torch.Tensor, second: torch.Tensor, block_elements: int) -> float:
    rows = max(1, block_elements // len(second))
    return sum(float(_cubic(block @ second.T, first.shape[1]).sum()) for block in first.split(rows))


def _cubic(products: torch.Tensor, features: int) -> torch.Tensor:
    return (products / features + 1) ** 3

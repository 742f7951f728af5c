"""When an ascent ends, on a tape of likelihoods."""

import torch

from mintmark.cluster.climb import climb


def test_climb_stops_where_no_start_gains_but_not_after_a_restart():
    tape = iter([(0.0, 0), (1.0, 0), (1.0, 1), (0.5, 0), (0.75, 0), (0.75, 0), (9.9, 0)])

    def improve_by_tape(model):
        value, restarts = next(tape)
        return torch.tensor([value]).double(), model + 1, restarts

    steps = list(climb(0, improve_by_tape, steps=10, tolerance=0.0))
    assert [step.number for step in steps] == [1, 2, 3]
    tape = iter([(0.0, 0), (1.0, 1), (0.5, 0), (0.75, 0), (0.75, 0), (9.9, 0)])
    assert [step.before.item() for step in climb(0, improve_by_tape, steps=10, tolerance=0.0)] == [
        0.0,
        1.0,
        0.5,
        0.75,
        0.75,
    ]

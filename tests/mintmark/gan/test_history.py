import pytest
import torch

from mintmark.gan.history import COLUMNS, as_csv, summarise
from mintmark.gan.state import initial_state
from mintmark.gan.training import Step


@pytest.fixture
def state(tiny_config):
    return initial_state((8, 8, 1), num_classes=1, config=tiny_config(), seed=0, device=torch.device("cpu"))


def step(state, number, value):
    return Step(
        number=number,
        generator_loss=value,
        discriminator_loss=2 * value,
        real_logit=3 * value,
        fake_logit=4 * value,
        penalty=5 * value,
        probability=value / 2,
        state=state,
    )


def test_a_row_is_the_mean_of_its_steps_under_the_last_number(state):
    row = summarise([step(state, 7, 1.0), step(state, 8, 2.0)], train_logit=-1.0, validation_logit=0.5)
    assert row.tolist() == pytest.approx([8, 1.5, 3.0, 4.5, 6.0, 7.5, 0.75, -1.0, 0.5])
    assert len(row) == len(COLUMNS)


def test_the_csv_has_a_header_and_whole_step_numbers(state):
    rows = torch.stack([summarise([step(state, 5, 1 / 3)], train_logit=1e-9, validation_logit=float("nan"))])
    assert as_csv(rows) == (
        "step,generator_loss,discriminator_loss,real_logit,fake_logit,penalty,augmentation_probability,train_logit,validation_logit\n"
        "5,0.333333,0.666667,1,1.33333,1.66667,0.166667,1e-09,\n"
    )

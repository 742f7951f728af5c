"""The curves as numbers, and the pictures as files that repeat to the byte."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import auc

from mintmark.anomaly.detector import explained
from mintmark.anomaly.measurements import Rates
from mintmark.anomaly.pictures import Explained, _caption, draw_explanations, draw_rejection, draw_roc, roc_table
from mintmark.anomaly.scoring import Scores

NORMALS, ANOMALIES = torch.tensor([1.0, 3.0, 5.0, 7.0]), torch.tensor([4.0, 6.0, 8.0])
RATES = Rates(novelty=0.05, anomaly=0.01)


def scores(kind: str, anomalies: torch.Tensor) -> Scores:
    return Scores(
        kind=kind,
        references=NORMALS,
        calibration=NORMALS,
        normals=NORMALS,
        anomalies={"a": anomalies[:1], "b": anomalies[1:]},
    )


def accounts(images: torch.Tensor, *, p_value: float = 0.5) -> list[Explained]:
    return [
        Explained(
            kind=kind,
            p_values=torch.tensor([0.8, p_value]),
            explanation=explained(images, torch.full_like(images, level)),
        )
        for kind, level in (("anogan", 0.0), ("pca_residual", 0.5))
    ]


def test_the_table_s_area_is_the_auroc_and_each_curve_runs_from_corner_to_corner():
    table = roc_table([scores("one", ANOMALIES), scores("two", -ANOMALIES)])
    assert table.columns.tolist() == ["detector", "false_alarm_rate", "detection_rate"]
    for kind, expected in (("one", (2 + 3 + 4) / 12), ("two", 0.0)):
        curve = table[table["detector"] == kind]
        assert auc(curve["false_alarm_rate"], curve["detection_rate"]) == pytest.approx(expected)
        assert curve.iloc[[0, -1], 1:].to_numpy().tolist() == [[0, 0], [1, 1]]


def test_the_roc_picture_repeats_to_the_byte_and_follows_its_table(tmp_path: Path):
    table = roc_table([scores("one", ANOMALIES)])
    other = pd.DataFrame({**table, "detection_rate": np.linspace(0, 1, len(table))})
    for name, drawn in (("first", table), ("again", table), ("other", other)):
        draw_roc(tmp_path / f"{name}.png", drawn, aurocs={"one": 0.75})
    first, again, different = ((tmp_path / f"{name}.png").read_bytes() for name in ("first", "again", "other"))
    assert first == again
    assert first != different


def test_the_picture_of_rejection_repeats_to_the_byte_and_follows_its_table(tmp_path: Path):
    table = pd.DataFrame({"rejecter": ["guard", "guard"], "coverage": [0.5, 1.0], "accuracy": [0.9, 0.8]})
    for name, drawn in (("first", table), ("again", table), ("other", table.assign(accuracy=[0.7, 0.8]))):
        draw_rejection(tmp_path / f"{name}.png", drawn, corrupted_share=0.2)
    first, again, different = ((tmp_path / f"{name}.png").read_bytes() for name in ("first", "again", "other"))
    assert first == again
    assert first != different


@pytest.mark.parametrize("channels", [1, 3])
def test_the_explanations_repeat_to_the_byte_and_show_images_and_alarms(tmp_path: Path, channels: int):
    images = torch.linspace(-1, 1, 2 * channels * 24).reshape(2, channels, 4, 6)
    pictures = {}
    for name, shown, p_value in (
        ("first", images, 0.04),
        ("again", images, 0.04),
        ("other", -images, 0.04),
        ("calm", images, 0.4),
    ):
        path = tmp_path / f"{name}.png"
        told = accounts(shown, p_value=p_value)
        draw_explanations(path, shown, names=["untouched", "add_noise"], accounts=told, rates=RATES)
        pictures[name] = path.read_bytes()
    assert pictures["first"] == pictures["again"]
    assert len(set(pictures.values())) == 3
    with Image.open(tmp_path / "first.png") as picture:
        assert picture.width > 700
        assert b"Software" not in pictures["first"]


@pytest.mark.parametrize(
    ("p_value", "caption"),
    [
        (0.008, "p = 0.008: anomaly"),
        (0.01, "p = 0.01: anomaly"),
        (0.05, "p = 0.05: novelty"),
        (0.06, "p = 0.06: usual"),
    ],
)
def test_a_caption_tells_the_p_value_and_what_it_means(p_value: float, caption: str):
    assert _caption(p_value, RATES) == caption


def test_nothing_is_left_beside_the_picture(tmp_path: Path):
    draw_roc(tmp_path / "roc.png", roc_table([scores("one", ANOMALIES)]), aurocs={"one": 0.75})
    assert [one.name for one in tmp_path.iterdir()] == ["roc.png"]

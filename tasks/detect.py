"""Fit anomaly detectors and judge them: split and the trained networks in, a guard and its measurements out.

Reads the train part (to fit), the validation part (to set thresholds), the test part (to judge, and nothing else), the
generator and the discriminator. Writes the guard (detector.safetensors), the report, ROC curves and explained examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mintmark.anomaly import anogan, nearest, pca
from mintmark.anomaly.corruptions import CORRUPTIONS
from mintmark.anomaly.detector import Detector
from mintmark.anomaly.measurements import Scores, advantage, alarm_rates, member_leak, ranking
from mintmark.anomaly.model import Guard, save_guard
from mintmark.anomaly.pictures import Explained, draw_explanations, draw_roc, roc_table
from mintmark.anomaly.threshold import calibrate, spread
from mintmark.anomaly.trial import Trial, at_most, set_up
from mintmark.data.images import read_images, to_unit
from mintmark.devices import DeviceName, pick_device
from mintmark.evidence import Measurement, Report, write_report
from mintmark.files import whole_file
from mintmark.gan.elsewhere import read_elsewhere
from mintmark.gan.model import load_discriminator, load_generator
from tasks.params import main

UNTOUCHED_EXAMPLES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `detect` of params.yaml."""

    seed: int
    threads: int
    device: DeviceName
    level: float
    false_alarm_rate: float
    max_records: int
    num_components: int
    num_neighbours: int
    corruptions: Mapping[str, float]
    search: anogan.Search

    def __post_init__(self) -> None:
        for name in ("threads", "max_records"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("level", "false_alarm_rate"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if not self.corruptions or not set(self.corruptions) <= set(CORRUPTIONS):
            raise ValueError(f"corruptions must be some of {sorted(CORRUPTIONS)}, got {sorted(self.corruptions)}")
        for name, strength in self.corruptions.items():
            if not 0 < strength <= 1:
                raise ValueError(f"corruptions.{name} must be above 0 and at most 1, got {strength}")


def run(params: Params, data_dir: Path) -> None:
    """Fit, judge and write.

    Raises:
        BadInput: an input is missing, too small, or does not fit the others.
    """
    torch.set_num_threads(params.threads)
    folder, rng = data_dir / "detect", np.random.default_rng(params.seed)
    train, validation, test = (
        read_images(data_dir / "split" / f"{part}.parquet") for part in ("train", "validation", "test")
    )
    normals = to_unit(train.images)
    plane = pca.fit(normals, num_components=params.num_components)
    neighbours = nearest.fit(normals, num_neighbours=params.num_neighbours)
    searcher = _searcher(normals, data_dir / "train_gan", params)
    searchers = [] if searcher is None else [searcher]
    trial = set_up(test, corruptions=params.corruptions, max_records=params.max_records, rng=rng)
    calibration, fitted_on = (
        to_unit(at_most(part, max_records=params.max_records, rng=rng).images) for part in (validation, train)
    )
    every = [_scores(detector, trial, calibration) for detector in (plane, neighbours, *searchers)]
    measurements = [
        *_measure(every, params, rng),
        member_leak(every[0], train=plane.score(fitted_on), rng=rng, level=params.level),
    ]
    thresholds = {one.kind: calibrate(one.calibration, false_alarm_rate=params.false_alarm_rate) for one in every}
    num_searched = len(calibration) + len(trial.normals) + len(every[0].all_anomalies)
    report = Report(
        stage="detect",
        measurements=tuple(measurements),
        headline=tuple(f"{one.kind}_auroc" for one in every),
        facts=_facts(params, trial, calibration, thresholds),
        cost={} if searcher is None else _cost(searcher, num_searched),
    )
    _draw_roc(folder, every, report)
    _draw_explanations(folder / "explain.png", trial, [*searchers, plane], thresholds)
    guard = Guard(
        detector=plane,
        threshold=thresholds[plane.kind],
        false_alarm_rate=params.false_alarm_rate,
        classes=train.classes,
    )
    save_guard(folder / "detector.safetensors", guard)
    write_report(report, folder)


def _searcher(normals: torch.Tensor, networks_dir: Path, params: Params) -> anogan.AnoGan | None:
    """The search of the generator's latents; None where the records were made elsewhere."""
    path = networks_dir / "generator.safetensors"
    if read_elsewhere(path) is not None:
        return None
    device = pick_device(params.device)
    return anogan.fit(
        normals,
        generator=load_generator(path).network.to(device),
        discriminator=load_discriminator(networks_dir / "discriminator.safetensors").network.to(device),
        search=params.search,
        seed=params.seed,
    )


def _scores(detector: Detector, trial: Trial, calibration: torch.Tensor) -> Scores:
    """A detector's scores of everything that it is judged on, in one pass."""
    parts = [calibration, trial.normals, *trial.anomalies.values()]
    calibrating, untouched, *corrupted = detector.score(torch.cat(parts)).split([len(part) for part in parts])
    anomalies = dict(zip(trial.anomalies, corrupted, strict=True))
    return Scores(kind=detector.kind, calibration=calibrating, normals=untouched, anomalies=anomalies)


def _measure(every: Sequence[Scores], params: Params, rng: np.random.Generator) -> list[Measurement]:
    """All measurements, the AUROCs first; the last detector is compared with each of the simpler ones before it."""
    *baselines, last = every
    return [
        *(found for one in every for found in ranking(one, rng=rng, level=params.level)),
        *(advantage(last, over=one, rng=rng, level=params.level) for one in baselines),
        *(
            found
            for one in every
            for found in alarm_rates(one, false_alarm_rate=params.false_alarm_rate, level=params.level)
        ),
    ]


def _facts(
    params: Params, trial: Trial, calibration: torch.Tensor, thresholds: Mapping[str, float]
) -> dict[str, object]:
    return {
        "guard": "pca_residual",
        "thresholds": dict(thresholds),
        "false_alarm_rate": params.false_alarm_rate,
        "false_alarm_rate_spread": spread(
            len(calibration), false_alarm_rate=params.false_alarm_rate, level=params.level
        ),
        "corruptions": dict(params.corruptions),
        "records": {
            "calibration": len(calibration),
            "normals": len(trial.normals),
            "anomalies": {name: len(images) for name, images in trial.anomalies.items()},
        },
    }


def _cost(searcher: anogan.AnoGan, num_searched: int) -> dict[str, float]:
    """The latent search is nearly all of it."""
    return {
        "latent_search_steps": float(searcher.search.num_steps),
        "latents_searched": float(num_searched * searcher.search.num_starts),
        "images_generated": float(searcher.num_generated(num_searched)),
    }


def _draw_roc(folder: Path, every: Sequence[Scores], report: Report) -> None:
    """The curves as a table and as a picture."""
    table = roc_table(every)
    with whole_file(folder / "roc.csv") as partial:
        table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    draw_roc(folder / "roc.png", table, aurocs={one.kind: report[f"{one.kind}_auroc"].value or 0.0 for one in every})


def _draw_explanations(
    path: Path, trial: Trial, detectors: Sequence[Detector], thresholds: Mapping[str, float]
) -> None:
    """The first untouched records and the first of each corruption: not chosen by how well they look."""
    untouched = trial.normals[:UNTOUCHED_EXAMPLES]
    examples = torch.cat([untouched, *(images[:1] for images in trial.anomalies.values())])
    accounts = [
        Explained(
            kind=detector.kind,
            scores=detector.score(examples),
            threshold=thresholds[detector.kind],
            explanation=detector.explain(examples),
        )
        for detector in detectors
    ]
    draw_explanations(path, examples, names=["untouched"] * len(untouched) + list(trial.anomalies), accounts=accounts)


if __name__ == "__main__":
    main("detect", Params, run)

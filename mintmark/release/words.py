"""Measurements, limits and verdicts in plain words, for readers who know no statistics. Judges nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from mintmark.release.attacks import ATTACKS

ARTEFACTS = {
    "samples": "the synthetic data",
    "classifier": "the classifier",
    "generator": "the generator",
    "discriminator": "the discriminator",
}
ATTACKERS = {
    "samples": "Somebody who holds the synthetic data, and nothing else of ours.",
    "classifier": "Somebody who holds the trained classifier, and can ask it about any picture.",
    "generator": "Somebody who holds the generator itself, and can make it draw as much as they like.",
    "discriminator": "Somebody who holds the discriminator, the half of the network that saw the real records.",
}
PURPOSES = {
    "share": "to stand in for the real data, which may not be handed out",
    "augment": "to be added to the real data, so that a classifier learns more",
}
TITLES = {
    "share_difference": "accuracy with synthetic data alone, minus accuracy with real data alone",
    "augment_difference": "accuracy with synthetic data added, minus the best accuracy without them",
    "real_accuracy": "taught by the real data alone",
    "augmented_accuracy": "taught by the real data and varied copies of them",
    "real_synthetic_accuracy": "taught by the real and the synthetic data",
    "augmented_synthetic_accuracy": "taught by the real data, varied copies and the synthetic data",
    "synthetic_accuracy": "taught by the synthetic data alone",
    "trts_accuracy": "taught by the real data, examined on the synthetic data",
    "smallest_detectable_difference": "smallest difference in accuracy that this comparison would notice",
    "control_shuffled_difference": "difference when the synthetic labels are shuffled (must be seen as harm)",
    "control_held_back_difference": "difference when held-back real data are added (must be seen as help)",
    "near_copies_left": "near-copies of training records among the synthetic ones",
    "removed_rate": "share of synthetic records that were removed as copies or near-copies",
    "real_records_found": "real records found among the synthetic ones",
    "quarantine_rate": "share of the source's records that were set aside as unusable",
    "coverage_min": "share of the real records that have a synthetic neighbour, in the worst region",
    "clusters_covered": "regions of the real data that the synthetic data reach",
    "synthetic_records": "synthetic records drawn",
    "guard_auroc": "chance that the guard finds a corrupted record stranger than an untouched one (0.5 is guessing)",
    "guard_normals_auroc": "the same for untouched records of two parts (must be near 0.5)",
    "guard_member_auroc": "chance that the guard finds a fresh record stranger than a training record (0.5: it tells nothing)",
    "guard_novelty_false_alarm_rate": "share of normal records that the guard calls unusual",
    "guard_novelty_detection_rate": "share of corrupted records that the guard calls unusual",
    "guard_anomaly_false_alarm_rate": "share of normal records that the guard takes for no normal record",
    "guard_anomaly_detection_rate": "share of corrupted records that the guard takes for no normal record",
    "verdict": "the answer of the comparison",
}
_THREAT_TITLES = {
    "auc_bound": "how well the best attack tells members from others, at worst (0.5 is guessing, 1 is certain)",
    "tpr_bound": "share of the members that the best attack names at 1% false alarms, at worst",
    "detection_floor": "smallest leak that the audit would notice nine times in ten, as a share of the records",
    "advantage": "members found less false alarms, by the attack that did best on other records",
    "set_accuracy": "how often a hundred members are told from a hundred others (50% is guessing)",
    "worst_class_auc_bound": "the same in the class where attacks do best, at worst",
    "worst_cluster_auc_bound": "the same in the cluster where attacks do best, at worst",
    "outliers_auc_bound": "the same among the tenth of the records that are least like the others, at worst",
    "epsilon_bound": "training is surely not more private than this epsilon (0: nothing can be said)",
}
ADVICE = {
    "evaluate": "Give the generator more records or more steps (section train_gan of params.yaml), or draw more rows "
    "(section generate). If the comparison was inconclusive, let evaluate use more seeds.",
    "anonymise": "Lower the threshold's tolerance in section anonymise, so that more near-copies are removed.",
    "audit": "Train the generator or the classifier for fewer steps or on more records, so that single records weigh "
    "less. If the audit itself was inconclusive, give it more members and non-members (section split).",
    "release": "A synthetic record is equal to a real one: anonymise must remove it. Look at its report first.",
}
GENERAL_ADVICE = "Look at the report of the stage that the rule names, and change its section of params.yaml."


def artefacts(names: Sequence[str]) -> str:
    """Artefacts as one phrase: "the synthetic data and the classifier"."""
    return conjunction([ARTEFACTS.get(name, name) for name in names])


def conjunction(words: Sequence[str]) -> str:
    """Words as one phrase: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def sentence(verdict: Mapping[str, Any]) -> str:
    """The verdict in one sentence."""
    if verdict["released"]:
        return f"Released: {artefacts(verdict['set'])}, because {verdict['reason']}."
    return f"Refused, because {verdict['reason']}."


def attack(name: str) -> str:
    """What an attack does, in one sentence; empty where nothing is known of it."""
    shadowed = name.partition("_over_targets")[0]
    question, _, how = shadowed.rpartition("_")
    if shadowed in ATTACKS:
        said = ATTACKS[shadowed]
    elif how in ATTACKS and question in ATTACKS:  # nearest_lira: what is asked, and how the answer is judged
        said = f"{ATTACKS[how]} The question: {ATTACKS[question][0].lower()}{ATTACKS[question][1:]}"
    else:
        return ""
    return f"{said} The mean over models trained alike." if shadowed != name else said


def title(measurement: str) -> str:
    """What a measurement says, in plain words; its name where nothing better is known."""
    threat, _, rest = measurement.partition("_")
    if threat in ARTEFACTS and rest in _THREAT_TITLES:
        return _THREAT_TITLES[rest]
    if measurement.startswith("conclusive."):
        return "whether the audit's own controls came out as they must"
    return TITLES.get(measurement, measurement.replace("_", " "))


def number(value: Any, unit: str | None) -> str:
    """A number as a person reads it: rates in percent, differences of rates in percentage points."""
    if value is None or isinstance(value, bool | str):
        return {None: "not measured", True: "yes", False: "no"}.get(value) or str(value)
    if unit == "rate":
        return f"{100 * value:.1f}%"
    if unit == "difference":
        return f"{round(100 * value, 1) + 0.0:+.1f} points"  # no minus zero
    if unit == "count" or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def interval(row: Mapping[str, Any]) -> str:
    """The interval of a rule or measurement: "from a to b"; a dash where there is none."""
    if row.get("low") is None or row.get("high") is None:
        return "-"
    low = number(row["low"], row["unit"]).removesuffix(" points")
    return f"{low} to {number(row['high'], row['unit'])}"


def limit(rule: Mapping[str, Any]) -> str:
    """The limit of a rule: "at most 5.0%"."""
    if rule["comparison"] == "among":
        return " or ".join(number(word, None) for word in rule["limit"])
    which = {"low": "low end ", "high": "high end "}.get(rule["field"], "")
    return f"{which}{rule['comparison'].replace('_', ' ')} {number(rule['limit'], rule['unit'])}"


def augmentation(verdict: Mapping[str, Any]) -> str:
    """The answer on augmentation, in one sentence."""
    answer = verdict["augmentation"]
    meaning = {
        "helps": "Added to the real data, the synthetic data help",
        "hurts": "Added to the real data, the synthetic data do harm",
        "within margin": "Added to the real data, the synthetic data make no difference that matters",
        "no evidence": "There is no evidence that the synthetic data help when added to the real data",
        "inconclusive": "Whether the synthetic data help when added to the real data could not be settled",
    }.get(answer["answer"], "Whether the synthetic data help when added to the real data was not measured")
    if answer["value"] is None:
        return f"{meaning}."
    ends = interval({**answer, "unit": "difference"})
    return f"{meaning}: accuracy changes by {number(answer['value'], 'difference')} (interval: {ends})."


def advice(verdict: Mapping[str, Any]) -> str:
    """What to do after a refusal, by the stage of the rule to work on."""
    name = verdict["work_on"]["rule"]
    stage = next(rule["stage"] for rule in verdict["rules"] if rule["name"] == name)
    return ADVICE.get(stage, GENERAL_ADVICE)

"""Threat model `classifier`: the attacker holds the downstream classifier, and labelled records.

They can ask it for the logits of any image as often as they like. They ask of a labelled record: was it in the training
data? Knows nothing of files, or of how the classifier was trained.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from mintmark.classify.networks import Classifier
from mintmark.privacy.likelihood import (
    lira_scores,
    offline_lira_scores,
    refuse_own,
    rmia_scores,
    shrunk_lira_scores,
)
from mintmark.privacy.parties import Parties
from mintmark.privacy.queries import Form, ask, confidence_scores
from mintmark.privacy.rates import Scores
from mintmark.privacy.shadows import Shadows


class ShadowAnswers(NamedTuple):
    """What shadow classifiers answer, of both parts of `mintmark.privacy.queries.Answers`."""

    confidences: Shadows
    log_likelihoods: Shadows


def class_confidence_scores(
    confidences: Float[np.ndarray, " queries"],
    codes: Int64[np.ndarray, " queries"],
    *,
    reference_confidences: Float[np.ndarray, " reference"],
    reference_codes: Int64[np.ndarray, " reference"],
    min_class_records: int,
) -> Float[np.ndarray, " queries"] | None:
    """Confidence by class: who is classified with more confidence than fresh records of their class is a member.

    Threat model: as for `confidence_scores`; the attacker also asks for their own reference records, and takes from a
    record's confidence the mean of its class, in units of the class's deviation (a threshold per class; Song and
    Mittal 2021).

    Returns:
        None where a class has fewer than `min_class_records` reference records.
    """
    scores = np.zeros(len(codes))
    for code in np.unique(codes).tolist():
        known = reference_confidences[reference_codes == code]
        if len(known) < max(2, min_class_records):
            return None
        rows = codes == code
        scores[rows] = (confidences[rows] - known.mean()) / max(float(known.std(ddof=1)), 1e-12)
    return scores


def shadow_scores(confidences: Float[np.ndarray, " queries"], shadows: Shadows) -> Float[np.ndarray, " queries"] | None:
    """Calibrated confidence: who is classified with more confidence than by models that did not know them is a member.

    Threat model: the attacker also trains models of the target's recipe on fresh halves of the population. From the
    record's confidence they take the mean confidence of those that were not trained on it (Watson et al. 2022,
    difficulty calibration; the mean term of Carlini et al. 2022's offline attack).

    Returns:
        None where a record has no model that was not trained on it.
    """
    easy = shadows.untrained_mean()
    return None if easy is None else confidences - easy


def attack_classifier(
    network: Classifier,
    parties: Parties,
    *,
    min_class_records: int,
    forms: tuple[Form, ...],
    shadows: ShadowAnswers | None,
) -> dict[str, Scores]:
    """Every attack of this threat model that these parties and shadows allow; all under attack are labelled.

    `confidence`: who is classified with more confidence than others is a member. The attacker asks the classifier once
    for the record, and knows its label (Yeom et al. 2018 for the threshold; Carlini et al. 2022 for the scale).
    `repeated`: the same, asked for the record in every form that training may have made of it. With shadows, of which
    the attacker asks the same questions: `shadow_scores`, and LiRA and RMIA (`mintmark.privacy.likelihood`).

    Args:
        network: The target.
        parties: Who is who.
        min_class_records: Reference records that a class needs for a threshold of its own.
        forms: In which records are shown; the first is the record itself.
        shadows: What shadow classifiers answer, asked in the same forms.
    """
    codes, reference = parties.codes(), parties.reference.labelled()
    asked = ask(network, parties.tensors(), codes, forms=forms)
    repeated = len(forms) > 1
    confidences = confidence_scores(network, parties.tensors(), codes) if repeated else asked.confidences
    found = {
        "confidence": confidences,
        "class_confidence": class_confidence_scores(
            confidences,
            codes,
            reference_confidences=confidence_scores(network, reference.tensors()[0], reference.codes),
            reference_codes=reference.codes,
            min_class_records=min_class_records,
        ),
    }
    if repeated:
        found["repeated"] = asked.confidences
    if shadows is not None:
        known = shadows.confidences
        refuse_own(asked.confidences, known)
        found |= {
            "shadow": shadow_scores(asked.confidences, known),
            "lira": lira_scores(asked.confidences, known),
            "lira_shrunk": shrunk_lira_scores(asked.confidences, known),
            "lira_offline": offline_lira_scores(asked.confidences, known),
            "rmia": rmia_scores(asked.log_likelihoods, shadows.log_likelihoods),
        }
    return {name: parties.split(scores) for name, scores in found.items() if scores is not None}

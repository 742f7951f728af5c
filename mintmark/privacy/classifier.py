"""Threat model `classifier`: the attacker holds the downstream classifier, and labelled records.

They can ask it for the logits of any image as often as they like. They ask of a labelled record: was it in the training
data? Knows nothing of files, or of how the classifier was trained.
"""

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.privacy.likelihood import lira_scores, offline_lira_scores, rmia_scores, shrunk_lira_scores
from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores
from mintmark.privacy.shadows import Shadows


def confidence_scores(
    answers: Float[torch.Tensor, "queries classes"], codes: Int64[np.ndarray, " queries"]
) -> Float[np.ndarray, " queries"]:
    """Confidence: who is classified with more confidence than others is a member.

    Threat model: the attacker asks the classifier once for the record, and knows its label. The confidence p of the
    true class is taken as log(p / (1 - p)) (Yeom et al. 2018 for the threshold; Carlini et al. 2022 for
    the scale), from logits, so that no confidence saturates.

    Returns:
        The logit-scaled confidence; higher for a member.
    """
    own = torch.from_numpy(codes)[:, None]
    answers = answers.double()
    others = answers.scatter(1, own, -torch.inf).logsumexp(dim=1)
    return (answers.gather(1, own)[:, 0] - others).numpy()


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
    network: Classifier, parties: Parties, *, min_class_records: int, shadows: Shadows | None
) -> dict[str, Scores]:
    """Every attack of this threat model that these parties and shadows allow; all under attack are labelled."""
    codes, reference = parties.codes(), parties.reference.labelled()
    confidences = confidence_scores(logits(network, parties.tensors()), codes)
    found = {
        "confidence": confidences,
        "class_confidence": class_confidence_scores(
            confidences,
            codes,
            reference_confidences=confidence_scores(logits(network, reference.tensors()[0]), reference.codes),
            reference_codes=reference.codes,
            min_class_records=min_class_records,
        ),
    }
    if shadows is not None:
        found |= {
            "shadow": shadow_scores(confidences, shadows),
            "lira": lira_scores(confidences, shadows),
            "lira_shrunk": shrunk_lira_scores(confidences, shadows),
            "lira_offline": offline_lira_scores(confidences, shadows),
            "rmia": rmia_scores(confidences, shadows),
        }
    return {name: parties.split(scores) for name, scores in found.items() if scores is not None}

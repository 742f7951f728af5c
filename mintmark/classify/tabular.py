"""Classifiers out of scikit-learn, on pixels or their principal components.

They take no gradient steps: each is fitted once, to the very records that the steps would have drawn, bent and mixed as
there. So every arm is given as many records, and mixing, soft labels and augmentation mean the same. A record with a
soft label counts once for each class, by its probability.
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from mintmark.classify.networks import Classifier, LinearClassifier
from mintmark.errors import BadInput

LEAST_PROBABILITY = 0.01  # of a class, for a record to count for it
ABSENT = -100.0  # the logit of a class that no record had
Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


class Boosted(Classifier):
    """Gradient boosting behind the face of a network: logits are log probabilities. It has no weights to save."""

    def __init__(
        self, shape: tuple[int, int, int], num_classes: int, model: HistGradientBoostingClassifier, plane: PCA | None
    ) -> None:
        super().__init__(shape, num_classes)
        self.model, self.plane = model, plane

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n classes"]:
        """Log probabilities of images in [-1, 1]; no gradient passes."""
        answers = torch.full((len(images), self.num_classes), ABSENT)
        if len(images):
            found = self.model.predict_proba(_features(images.flatten(1).cpu().numpy(), self.plane))
            answers[:, torch.from_numpy(np.asarray(self.model.classes_, np.int64))] = (
                torch.from_numpy(found).float().clamp(min=1e-30).log()
            )
        return answers.to(images.device)


def train_logistic(
    batches: Batches, *, shape: tuple[int, int, int], num_classes: int, components: int | None
) -> LinearClassifier:
    """Logistic regression, folded into one linear layer on the pixels.

    Args:
        batches: Images in [-1, 1] and probabilities of the classes.
        shape: (height, width, channels).
        num_classes: Of the answer, whether or not each occurs.
        components: Of the pixels' principal components; None for the pixels themselves.

    Raises:
        BadInput: fewer pixels or records than components, or a single class.
    """
    pixels, codes, weights = _table(batches)
    plane = _plane(pixels, components)
    model = LogisticRegression(max_iter=1000).fit(_features(pixels, plane), codes, sample_weight=weights)
    slopes, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(slopes) == 1:  # of two classes it tells the second's logit, where the first's is 0
        slopes, bias = np.concatenate([0 * slopes, slopes]), np.concatenate([0 * bias, bias])
    if plane is not None:
        slopes = slopes @ plane.components_
        bias = bias - slopes @ plane.mean_
    network = LinearClassifier(shape, num_classes)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(ABSENT)
        present = torch.from_numpy(np.asarray(model.classes_, np.int64))
        network.head.weight[present] = torch.from_numpy(slopes).float()
        network.head.bias[present] = torch.from_numpy(bias).float()
    return network.eval()


def train_boosting(
    batches: Batches, *, shape: tuple[int, int, int], num_classes: int, components: int | None, seed: int
) -> Boosted:
    """Gradient boosting of histograms of the features; arguments and errors as in `train_logistic`."""
    pixels, codes, weights = _table(batches)
    plane = _plane(pixels, components)
    # early_stopping takes a bool as well; the stubs say otherwise
    model = HistGradientBoostingClassifier(early_stopping=False, random_state=seed)  # pyright: ignore[reportArgumentType]
    model.fit(_features(pixels, plane), codes, sample_weight=weights)
    return Boosted(shape, num_classes, model, plane).eval()


def _table(
    batches: Batches,
) -> tuple[Float[np.ndarray, "rows pixels"], Int64[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    """All drawn records as rows of pixels, class and weight, equal ones added up."""
    images, labels = (torch.cat(parts).cpu() for parts in zip(*batches, strict=True))
    records, codes = torch.nonzero(labels >= LEAST_PROBABILITY, as_tuple=True)
    rows = torch.cat([images.flatten(1)[records], codes[:, None].float()], dim=1).numpy()
    found, places = np.unique(rows, axis=0, return_inverse=True)
    weights = np.bincount(places.reshape(-1), weights=labels[records, codes].double().numpy())
    kept = found[:, -1].astype(np.int64)
    if len(np.unique(kept)) < 2:
        raise BadInput(f"training records: expected at least 2 classes, got {len(np.unique(kept))}")
    return found[:, :-1].astype(float), kept, weights


def _plane(pixels: Float[np.ndarray, "rows pixels"], components: int | None) -> PCA | None:
    if components is None:
        return None
    if components > min(pixels.shape):
        raise BadInput(f"components: expected at most {min(pixels.shape)} for these images, got {components}")
    return PCA(components, svd_solver="full").fit(pixels)


def _features(pixels: Float[np.ndarray, "rows pixels"], plane: PCA | None) -> Float[np.ndarray, "rows features"]:
    return pixels if plane is None else plane.transform(pixels)

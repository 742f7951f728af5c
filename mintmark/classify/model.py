"""A trained classifier as one file, and its answers. Knows nothing of how it was trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float

from mintmark import weights
from mintmark.classify.imported import Imported
from mintmark.classify.networks import Classifier, LinearClassifier, RecordwiseCNN, SmallCNN
from mintmark.errors import BadInput

MODELS: dict[str, type[Classifier]] = {
    one.__name__: one for one in (SmallCNN, RecordwiseCNN, LinearClassifier, Imported)
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedClassifier:
    """A classifier rebuilt from its file.

    Attributes:
        network: In eval mode, on the CPU.
        classes: Class names in the order of the logits.
        shape: (height, width, channels) of the images it takes.
        facts: What was said of it when it was saved.
    """

    network: Classifier
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    facts: Mapping[str, Any]


def save_classifier(path: Path, network: Classifier, *, classes: tuple[str, ...], facts: Mapping[str, Any]) -> None:
    """Write a classifier to one safetensors file, with all that rebuilds it in the metadata.

    Args:
        path: The file.
        network: The classifier.
        classes: Class names in the order of the logits.
        facts: Plain JSON values to keep beside it: how it came about. No record.

    Raises:
        ValueError: the classifier is none that its weights rebuild, such as boosted trees.
    """
    model = type(network).__name__
    if model not in MODELS:
        raise ValueError(f"network must be one of {sorted(MODELS)}, got {model}")
    metadata = {"model": model, "form": network.form(), "classes": list(classes), "facts": dict(facts)}
    weights.save(path, network.state_dict(), metadata)


def load_classifier(path: Path) -> LoadedClassifier:
    """The classifier that `save_classifier` wrote. A module of the user's own must still be importable.

    Raises:
        BadInput: the file is missing or holds no such classifier.
    """
    tensors, metadata = weights.load(path)
    if metadata.get("model") not in MODELS:
        raise BadInput(f"{path}: expected a classifier (one of {sorted(MODELS)}), got {metadata.get('model')!r}")
    form = metadata["form"]
    height, width, channels = form["shape"]
    network = MODELS[metadata["model"]](**(form | {"shape": (height, width, channels)}))
    weights.fill(network, tensors, path)
    return LoadedClassifier(
        network=network.eval(),
        classes=tuple(metadata["classes"]),
        shape=(height, width, channels),
        facts=metadata["facts"],
    )


def logits(
    network: Classifier, images: Float[torch.Tensor, "n channels height width"], *, batch_size: int = 512
) -> Float[torch.Tensor, "n classes"]:
    """The classifier's answers to images in [-1, 1], on the CPU, without gradients.

    The network answers in eval mode, and is left in the mode in which it came.
    """
    device = next((one.device for one in network.parameters()), torch.device("cpu"))
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        answers = [network(batch.to(device)).float().cpu() for batch in images.split(batch_size)]
    network.train(was_training)
    return torch.cat(answers) if answers else torch.zeros(0, network.num_classes)

"""A trained classifier as one file, and its answers. Knows nothing of how it was trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float

from mintmark import weights
from mintmark.classify.networks import SmallCNN
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedClassifier:
    """A classifier rebuilt from its file.

    Attributes:
        network: In eval mode, on the CPU.
        classes: Class names in the order of the logits.
        shape: (height, width, channels) of the images it takes.
        facts: What was said of it when it was saved.
    """

    network: SmallCNN
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    facts: Mapping[str, Any]


def save_classifier(path: Path, network: SmallCNN, *, classes: tuple[str, ...], facts: Mapping[str, Any]) -> None:
    """Write a classifier to one safetensors file, with all that rebuilds it in the metadata.

    Args:
        path: The file.
        network: The classifier.
        classes: Class names in the order of the logits.
        facts: Plain JSON values to keep beside it: how it came about. No record.
    """
    form = {"shape": list(network.shape), "num_classes": network.num_classes, "width": network.width}
    metadata = {"model": "SmallCNN", "form": form, "classes": list(classes), "facts": dict(facts)}
    weights.save(path, network.state_dict(), metadata)


def load_classifier(path: Path) -> LoadedClassifier:
    """The classifier that `save_classifier` wrote.

    Raises:
        BadInput: the file is missing or holds no such classifier.
    """
    tensors, metadata = weights.load(path)
    if metadata.get("model") != "SmallCNN":
        raise BadInput(f"{path}: expected a classifier (SmallCNN), got {metadata.get('model')!r}")
    form = metadata["form"]
    height, width, channels = form["shape"]
    network = SmallCNN((height, width, channels), form["num_classes"], form["width"])
    weights.fill(network, tensors, path)
    return LoadedClassifier(
        network=network.eval(),
        classes=tuple(metadata["classes"]),
        shape=(height, width, channels),
        facts=metadata["facts"],
    )


def logits(
    network: SmallCNN, images: Float[torch.Tensor, "n channels height width"], *, batch_size: int = 512
) -> Float[torch.Tensor, "n classes"]:
    """The classifier's answers to images in [-1, 1], on the CPU, without gradients.

    The network answers in eval mode, and is left in the mode in which it came.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        answers = [network(batch.to(device)).float().cpu() for batch in images.split(batch_size)]
    network.train(was_training)
    return torch.cat(answers) if answers else torch.zeros(0, network.num_classes)

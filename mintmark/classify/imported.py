"""A classifier of the user's own, named by its import path: `package.module:Class`.

The class is a `torch.nn.Module`, constructed as `Class(shape, num_classes)` with shape (height, width, channels), that
takes images (n, channels, height, width) in [-1, 1] and answers with logits (n, num_classes).
"""

import importlib
import re

import torch
from jaxtyping import Float
from torch import nn

from mintmark.classify.networks import Classifier
from mintmark.errors import BadInput

IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Imported(Classifier):
    """The user's module, checked.

    Attributes:
        path: Where it was imported from.
        inner: It.
    """

    def __init__(self, shape: tuple[int, int, int], num_classes: int, path: str) -> None:
        """Import, construct and try the module.

        Raises:
            BadInput: it cannot be imported or constructed, or its answers are of another shape.
        """
        super().__init__(shape, num_classes)
        self.path = path
        try:
            self.inner = module_class(path)(shape, num_classes)
        except TypeError as error:
            raise BadInput(f"classifier {path}: expected a class that takes (shape, num_classes): {error}") from error
        self._try()

    def form(self) -> dict[str, object]:
        """What rebuilds it beside its weights."""
        return super().form() | {"path": self.path}

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n classes"]:
        """Logits of images in [-1, 1]."""
        return self.inner(images)

    def _try(self) -> None:
        """Refuse answers of another shape now, rather than after an hour of tuning."""
        height, width, channels = self.shape
        was_training = self.training
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            try:
                found = self.eval()(torch.zeros(2, channels, height, width))
            except (RuntimeError, TypeError, ValueError) as error:
                message = f"classifier {self.path}: expected logits for images {(2, channels, height, width)}"
                raise BadInput(f"{message}, got {type(error).__name__}: {error}") from error
        self.train(was_training)
        if not isinstance(found, torch.Tensor) or tuple(found.shape) != (2, self.num_classes):
            shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise BadInput(f"classifier {self.path}: expected answers of shape {(2, self.num_classes)}, got {shape}")


def module_class(path: str) -> type[nn.Module]:
    """The class at an import path.

    Raises:
        BadInput: the path is none, or there is no such class, or it is no `torch.nn.Module`.
    """
    if not IMPORT_PATH.fullmatch(path):
        raise BadInput(f"classifier {path}: expected an import path package.module:Class")
    module_name, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"classifier {path}: expected a class that can be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise BadInput(f"classifier {path}: expected a torch.nn.Module, got {found!r}")
    return found

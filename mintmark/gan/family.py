"""Which networks a way of conditioning takes. Every generator, and every discriminator, is used in the same way."""

from collections.abc import Mapping
from typing import Literal

from mintmark.gan.networks import AuxiliaryDiscriminator, Discriminator, Generator
from mintmark.gan.per_class import PerClassDiscriminator, PerClassGenerator

ConditioningName = Literal["projection", "auxiliary", "per_class"]
AnyGenerator = Generator | PerClassGenerator
AnyDiscriminator = Discriminator | AuxiliaryDiscriminator | PerClassDiscriminator

GENERATORS: Mapping[ConditioningName, type[AnyGenerator]] = {
    "projection": Generator,
    "auxiliary": Generator,
    "per_class": PerClassGenerator,
}
DISCRIMINATORS: Mapping[ConditioningName, type[AnyDiscriminator]] = {
    "projection": Discriminator,
    "auxiliary": AuxiliaryDiscriminator,
    "per_class": PerClassDiscriminator,
}

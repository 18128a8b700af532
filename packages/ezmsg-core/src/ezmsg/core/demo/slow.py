"""The demo's graph with one more unit that cannot keep up: who finds it, and with what, is the exercise."""

import time
from dataclasses import field

import numpy as np

from ezmsg.core.demo.signals import Block
from ezmsg.core.demo.units import Ecg
from ezmsg.core.graph.collection import NetworkDefinition
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.decorators import subscriber
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.streams import InputStream
from ezmsg.core.graph.unit import Unit


class ClassifierSettings(Settings):
    """How long the classifier works on a block; a block comes every 100 ms."""

    work_ms: float = field(
        default=300.0,
        metadata={"min": 0.0, "max": 1000.0, "step": 10.0, "unit": "ms", "description": "time for each block"},
    )


def looks_ectopic(signal: np.ndarray, work_ms: float) -> bool:
    """Say whether a block looks like an ectopic beat."""
    time.sleep(work_ms / 1000)  # stands for a model that takes its time
    return bool(np.ptp(signal) > 3.0) if len(signal) else False


class Classifier(Unit):
    """Looks at every block for longer than a block lasts, so that the filter waits for it."""

    SETTINGS = ClassifierSettings
    INPUT_SETTINGS = InputStream(ClassifierSettings)
    INPUT = InputStream(Block)

    @subscriber(INPUT_SETTINGS)
    async def tune(self, settings: ClassifierSettings) -> None:
        """Work for another time from the next block on."""
        self.apply_settings(settings)

    @subscriber(INPUT)
    async def classify(self, block: Block) -> None:
        """Look at one block."""
        looks_ectopic(block.signal, self.SETTINGS.work_ms)


class SlowEcg(Ecg):
    """The demo's graph, with the classifier behind the filter in a process of its own."""

    CLASSIFIER = Classifier()

    def network(self) -> NetworkDefinition:
        return (*super().network(), (self.FILTER.OUTPUT, self.CLASSIFIER.INPUT))

    def process_components(self) -> tuple[Component, ...]:
        return (*super().process_components(), self.CLASSIFIER)

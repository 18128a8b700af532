"""Two thermometers with a smoother each, in processes of their own, and one log."""

import multiprocessing
import sys

from weather import READINGS, Log, LogSettings, Smoother, SmootherSettings, Thermometer

import ezmsg.core as ez


class SensorSettings(ez.Settings):
    weight: float = 0.5


class Sensor(ez.Collection):
    SETTINGS = SensorSettings

    LEVEL = ez.OutputTopic(float)
    THERMOMETER = Thermometer()
    SMOOTHER = Smoother()

    def configure(self) -> None:
        self.SMOOTHER.apply_settings(SmootherSettings(weight=self.SETTINGS.weight))

    def network(self) -> ez.NetworkDefinition:
        return (
            (self.THERMOMETER.OUTPUT, self.SMOOTHER.INPUT),
            (self.SMOOTHER.OUTPUT, self.LEVEL),
        )


class Station(ez.Collection):
    INDOORS = Sensor()
    OUTDOORS = Sensor(weight=0.2)
    LOG = Log(LogSettings(path="levels.txt", lines=2 * len(READINGS)))

    def network(self) -> ez.NetworkDefinition:
        return (
            (self.INDOORS.LEVEL, self.LOG.INPUT),
            (self.OUTDOORS.LEVEL, self.LOG.INPUT),
        )

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.INDOORS, self.OUTDOORS)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        multiprocessing.set_start_method(sys.argv[1])
    ez.run(STATION=Station())

"""A thermometer that is read in a plain loop, a callback that watches it, and an alarm that is waited for."""

import numpy as np

import ezmsg.core as ez

LIMIT = 37.5


def read_thermometer(second: int) -> np.ndarray:
    """Stands for an instrument's driver: four readings a second, in degrees, that rise."""
    return 36.0 + 0.5 * second + np.linspace(0.0, 0.3, 4)


with ez.sync.init() as context:
    readings = context.create_publisher("READINGS")
    alarms = context.create_publisher("ALARMS")
    alarm = context.create_subscription("ALARMS")

    def watch(temperatures: np.ndarray) -> None:
        print("mean", round(float(temperatures.mean()), 2))
        if temperatures.max() > LIMIT:
            alarms.publish(f"{temperatures.max():.1f} degrees are too much")

    context.create_subscription("READINGS", watch)

    for second in range(10):
        readings.publish(read_thermometer(second), timeout=5.0)
        context.spin_once(timeout=5.0)
        try:
            print(alarm.recv(timeout=0.01))
            break
        except TimeoutError:
            print("no alarm yet")

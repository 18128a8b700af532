"""The packaged electrocardiogram: five minutes of a real heart.

It reads one file and knows nothing of filters or beats.
"""

from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

FS_HZ = 360.0
"""Samples per second of the packaged record; for what must be declared before it is read."""

_FILE = "mitbih_208_mlii.npz"
_NAME = "MIT-BIH 208 MLII, 19:35-24:35"
_ATTRIBUTION = (
    "MIT-BIH Arrhythmia Database, record 208, lead MLII (PhysioNet), licensed ODC-By 1.0. "
    "Moody & Mark, IEEE Eng. Med. Biol. 20(3):45-50 (2001); "
    "Goldberger et al., Circulation 101(23):e215-e220 (2000)."
)


@dataclass(frozen=True, eq=False)
class Record:
    """One lead of an electrocardiogram. Compared by identity, because arrays have no single truth value."""

    name: str
    attribution: str
    """Source, licence and citations, in one line fit for a screen."""
    signal_mv: npt.NDArray[np.float64]
    """The samples in millivolts, shape (n,), read-only."""
    fs_hz: float
    """Samples per second."""

    @property
    def duration_s(self) -> float:
        """The length in seconds."""
        return len(self.signal_mv) / self.fs_hz


def load_record() -> Record:
    """Read the record that is packaged with the demo: 108 000 samples at 360 Hz."""
    data = resources.files(__package__) / "data" / _FILE
    with data.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        signal_mv = arrays["ecg_adu"] / float(arrays["gain_adu_per_mv"])
        fs_hz = float(arrays["fs_hz"])
    signal_mv.flags.writeable = False
    return Record(name=_NAME, attribution=_ATTRIBUTION, signal_mv=signal_mv, fs_hz=fs_hz)

"""How far a file is, as a bar in the terminal, for those who have `tqdm` installed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ezmsg.core as ez

__all__ = ["shown_progress"]


@contextmanager
def shown_progress(unit: str, filename: Path, total: int, wanted: bool) -> Iterator[Callable[[], object]]:
    """Lend what is to be called after each line; it shows how far the file is, if that is wanted and possible."""
    if wanted:
        try:
            from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore] # few have it, and fewer want it
        except ImportError:
            ez.logger.info("%s shows no progress: pip install 'ezmsg-util[progress]'.", unit)
        else:
            with tqdm(total=total, desc=str(filename)) as bar:
                yield bar.update
            return
    yield lambda: None

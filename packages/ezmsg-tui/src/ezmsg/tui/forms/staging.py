"""What somebody wants to change and has not applied yet: typed texts become values, or complaints. Pure."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from ezmsg.protocol.snapshots.json_form import from_json_form
from ezmsg.tui.forms.fields import Editor, Field, shown


class NotThis(ValueError):
    """A typed text is nothing that the field allows; the message says what would be."""


@frozen
class Staged:
    """What is staged of one component: values by path, and complaints about what was typed or refused."""

    values: Mapping[str, Any] = field(factory=dict)
    complaints: Mapping[str, str] = field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self.values)


def stage(staged: Staged, each: Field, value: Any) -> Staged:
    """Return what is staged when a field is to have a value; the value that it has is nothing staged."""
    values = {path: other for path, other in staged.values.items() if path != each.path}
    if not same(value, each.value):
        values[each.path] = value
    complaints = {path: text for path, text in staged.complaints.items() if path != each.path}
    return Staged(values, complaints)


def complain(staged: Staged, path: str, text: str) -> Staged:
    """Return what is staged with a complaint at a field; what was staged there stays, if it was refused."""
    return evolve(staged, complaints={**staged.complaints, path: text})


def unstage(staged: Staged, path: str) -> Staged:
    """Return what is staged without a field."""
    return Staged(
        {each: value for each, value in staged.values.items() if each != path},
        {each: text for each, text in staged.complaints.items() if each != path},
    )


def typed(each: Field, text: str) -> Any:
    """Return what a typed text means for a field.

    :raises NotThis: if the field does not allow it.
    """
    text = text.strip() if each.editor is not Editor.TEXT else text
    if each.optional and text.casefold() in ("", "none", "null", "unset"):
        return None
    match each.editor:
        case Editor.SLIDER | Editor.NUMBER | Editor.WHOLE:
            return bounded(each, _number(each, text))
        case Editor.TEXT:
            if each.pattern is not None and not re.search(each.pattern, text):
                raise NotThis(f"it must fit the pattern {each.pattern}")
            return text
        case Editor.DATA:
            return _data(text)
    for choice in each.choices:
        if text == shown(choice):
            return choice
    raise NotThis(f"choose one of {', '.join(map(shown, each.choices))}")


def _number(each: Field, text: str) -> float | int:
    try:
        if each.is_whole:
            return int(text)
        number = float(text)
    except ValueError:
        raise NotThis(f"it wants {'a whole number' if each.is_whole else 'a number'}") from None
    return number


def bounded(each: Field, number: float) -> float | int:
    """Return a number that lies within the bounds of a field.

    :raises NotThis: if it does not.
    """
    outside = (
        (each.low is not None and not number >= each.low)
        or (each.high is not None and not number <= each.high)
        or (each.above is not None and not number > each.above)
        or (each.below is not None and not number < each.below)
    )
    if outside:
        raise NotThis(f"it must be {each.allows}".replace("be a number", "be a finite number"))
    return number


def _data(text: str) -> Any:
    try:
        return from_json_form(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise NotThis(f'it wants JSON, such as [1, 2] or {{"a": 1}}: {error}') from None


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same setting; a NaN is the same as another."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def difference(fields: Mapping[str, Field], staged: Staged) -> list[str]:
    """Return what applying would change, a line for each field."""
    lines = []
    for path, value in staged.values.items():
        each = fields.get(path)
        unit = f" {each.unit}" if each and each.unit else ""
        before = "?" if each is None else _short(each.value)
        lines.append(f"{path}   {before} -> {_short(value)}{unit}")
    return lines


def _short(value: Any) -> str:
    text = "unset" if value is None else shown(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- sliders ------------------------------------------------------------------------------------------------


@frozen
class Scale:
    """Where a number lies between the bounds of a field, and how far a step goes."""

    low: float
    high: float
    step: float
    is_log: bool = False
    is_whole: bool = False

    def share(self, number: float) -> float:
        """Return where a number lies, from 0 to 1."""
        if not math.isfinite(number) or self.high <= self.low:
            return 0.0
        if self.is_log:
            share = math.log(max(number, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (number - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def at(self, share: float) -> float | int:
        """Return the number at a place from 0 to 1, on a whole step."""
        share = min(1.0, max(0.0, share))
        if self.is_log:
            return self._rounded(self.low * (self.high / self.low) ** share, digits=3)
        number = self.low + share * (self.high - self.low)
        return self._within(self.low + round((number - self.low) / self.step) * self.step)

    def moved(self, number: float, steps: int) -> float | int:
        """Return the number some steps further."""
        if self.is_log:
            moved = max(number, self.low) * (self.high / self.low) ** (steps / 100)
            return self._rounded(moved, digits=3)
        return self._within(number + steps * self.step)

    def _rounded(self, number: float, digits: int) -> float | int:
        return self._within(float(f"{number:.{digits}g}"))

    def _within(self, number: float) -> float | int:
        number = float(f"{min(self.high, max(self.low, number)):.12g}")
        return round(number) if self.is_whole else number


def scale(each: Field) -> Scale:
    """Return the scale of a field with two bounds; of a bound that is not allowed itself, the next step is."""
    low = each.low if each.low is not None else each.above if each.above is not None else 0.0
    high = each.high if each.high is not None else each.below if each.below is not None else 1.0
    step = each.step or (1.0 if each.is_whole else _nice((high - low) / 100))
    if each.low is None and each.above is not None:
        low += step
    if each.high is None and each.below is not None:
        high -= step
    return Scale(float(low), float(max(low, high)), step, each.is_log, each.is_whole)


def _nice(step: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above a step."""
    if step <= 0 or not math.isfinite(step):
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return float(f"{max(factor for factor in (1, 2, 5) if factor * power <= step * 1.0000001) * power:.12g}")

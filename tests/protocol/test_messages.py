"""The tables of messages: every class is in one, under a tag of its own, and has a strategy."""

import dataclasses
import importlib
import pkgutil
from types import ModuleType
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezmsg.protocol import messages, model
from ezmsg.protocol.declared import written
from ezmsg.protocol.testing import ERRORS, MODEL, instances
from ezmsg.protocol.wire.union_tags import TAG_KEY

ALL = (*messages.HANDSHAKE, *messages.ENVELOPES, *messages.BODIES, *messages.CHANNELS)


def submodules(package: ModuleType) -> list[ModuleType]:
    return [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
    ]


def classes_of(module: ModuleType) -> list[type[Any]]:
    return [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]


@pytest.mark.parametrize("module", submodules(messages), ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_class_with_a_tag_is_in_its_conversation(module: ModuleType) -> None:
    tagged = [cls for cls in classes_of(module) if hasattr(cls, "TAG")]
    assert sorted(tagged, key=repr) == sorted(module.MESSAGES, key=repr)


def test_every_conversation_is_in_a_table() -> None:
    assert {cls for module in submodules(messages) for cls in module.MESSAGES} == set(ALL)


def test_every_class_of_the_model_is_public() -> None:
    public = {cls.__name__ for module in submodules(model) for cls in classes_of(module)}
    assert public == set(model.__all__)


def test_tags_are_unique() -> None:
    tags = [cls.TAG for cls in ALL]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("cls", ALL)
def test_a_message_is_frozen_and_says_what_it_means(cls: type[Any]) -> None:
    assert "TAG" in vars(cls), "a tag is a literal beside its class"
    assert cls.__doc__
    assert cls.__doc__.rstrip().endswith(".")
    assert TAG_KEY not in [field.name for field in attrs.fields(written(cls))]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        object.__new__(cls).anything = 1


@pytest.mark.parametrize("cls", messages.REQUESTS)
def test_replies_and_items_are_bodies(cls: type[Any]) -> None:
    assert cls.REPLY in messages.BODIES
    assert set(getattr(cls, "ITEMS", ())) <= set(messages.BODIES)


@pytest.mark.parametrize("cls", MODEL)
def test_the_model_can_be_asked_for_its_fields(cls: type[Any]) -> None:
    """Users' tools call ``dataclasses.fields`` on it."""
    assert [field.name for field in dataclasses.fields(cls)] == list(cls.__dataclass_fields__)
    assert cls.__doc__


@pytest.mark.parametrize("cls", [*ALL, *MODEL, *ERRORS])
def test_every_class_has_a_strategy(cls: type[Any]) -> None:
    @settings(max_examples=3)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        assert type(data.draw(instances(cls))) is cls

    check()

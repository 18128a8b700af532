"""Both directions together: what a process needs to send and receive objects."""

from ezmsg.core.messages.decoding import Decoder
from ezmsg.core.messages.encoding import Encoder
from ezmsg.core.messages.forms import Forms, HeardForms, heard
from ezmsg.core.messages.read_only import ReadOnly
from ezmsg.core.messages.registry import Dump, Encoding, Load, Registry


class Codec:
    """An encoder and a decoder that share a registry of encodings."""

    def __init__(self, *, allow_pickle: bool = True) -> None:
        self._registry = Registry(allow_pickle)
        self.encode = Encoder(self._registry).encode
        self.decode = Decoder(self._registry).decode
        self.read_only = ReadOnly(self._registry).view

    def register(self, name: str, cls: type, dump: Dump, load: Load) -> None:
        """Send objects of exactly this class in this way; both processes must register the same name."""
        self._registry.register(Encoding(name, cls, dump, load))

    def prepare(self, cls: type) -> None:
        """Look for the encoding of a class now, and not with its first object: before a process forks, say."""
        self._registry.of_class(cls)

    def forms(self) -> Forms:
        """Return what the messages of one publisher share."""
        return Forms(self._registry)

    def heard(self, forms: HeardForms, number: int, content: bytes) -> HeardForms:
        """Return what a channel knows after it was told one more form."""
        return heard(forms, number, content, self._registry)

"""Every error of ezmsg, as one tree. Each has a stable code, typed fields and its own sentence.

Everything enters; the room uses `revisions` alone. The same code crosses the wire and comes back as the same class,
see :func:`to_failure` and :func:`from_failure`.

::

    EzmsgError
    ├── WireError                  1xxx  bytes and messages
    │   ├── FrameTooLarge
    │   ├── MalformedFrame
    │   ├── UnknownMessage
    │   ├── InvalidMessage
    │   ├── ProtocolViolation
    │   └── VersionMismatch
    ├── GraphError                 2xxx  the rules of the graph
    │   ├── ComponentCollision
    │   ├── OwnershipCollision
    │   ├── CyclicException
    │   ├── UnknownSession
    │   ├── InvalidTopic
    │   ├── UnknownEndpoint
    │   ├── DuplicateIdentity
    │   ├── InvalidMetadata
    │   ├── UnknownProcess
    │   ├── SettingsUnavailable
    │   ├── StaleRevision
    │   └── UnitNotOwned
    ├── LinkError                  3xxx  reaching each other
    │   ├── ServerUnreachable
    │   ├── ConnectionLost
    │   ├── AuthenticationFailed
    │   ├── AddressInUse
    │   ├── InsecureBind
    │   ├── InvalidAddress
    │   ├── DeadlineExceeded
    │   ├── SessionRequired
    │   ├── ServerOverloaded
    │   ├── UnsafeFolder
    │   ├── UnreadableToken
    │   ├── InsecureMetrics
    │   ├── RoleRequired
    │   ├── StateUnusable
    │   ├── TlsRequired
    │   ├── TlsNotSpoken
    │   ├── CertificateRefused
    │   │   ├── CertificateUntrusted
    │   │   ├── CertificateOutOfDate
    │   │   └── CertificateOfAnother
    │   ├── TlsUnusable
    │   ├── TlsFailed
    │   ├── WayUnusable
    │   └── LeaseExpired
    ├── InternalError              9001  a fault of ezmsg itself
    └── RemoteError                9002  an error this release does not know

Distributions above add their own branches: ``ezmsg.core.errors`` holds 5xxx (data plane) and 6xxx (components).
"""

from ezmsg.protocol.errors.faults import (
    InternalError,
    RemoteError,
)
from ezmsg.protocol.errors.graph import (
    ComponentCollision,
    CyclicException,
    DuplicateIdentity,
    GraphError,
    InvalidMetadata,
    InvalidTopic,
    OwnershipCollision,
    SettingsUnavailable,
    StaleRevision,
    UnitNotOwned,
    UnknownEndpoint,
    UnknownProcess,
    UnknownSession,
)
from ezmsg.protocol.errors.link import (
    AddressInUse,
    AuthenticationFailed,
    ConnectionLost,
    DeadlineExceeded,
    InsecureBind,
    InsecureMetrics,
    InvalidAddress,
    LeaseExpired,
    LinkError,
    RoleRequired,
    ServerOverloaded,
    ServerUnreachable,
    SessionRequired,
    StateUnusable,
    UnreadableToken,
    UnsafeFolder,
    WayUnusable,
)
from ezmsg.protocol.errors.root import (
    EzmsgError,
    error_classes,
)
from ezmsg.protocol.errors.tls import (
    CertificateOfAnother,
    CertificateOutOfDate,
    CertificateRefused,
    CertificateUntrusted,
    TlsFailed,
    TlsNotSpoken,
    TlsRequired,
    TlsUnusable,
)
from ezmsg.protocol.errors.wire import (
    FrameTooLarge,
    InvalidMessage,
    MalformedFrame,
    ProtocolViolation,
    UnknownMessage,
    VersionMismatch,
    WireError,
)

__all__ = [
    "AddressInUse",
    "AuthenticationFailed",
    "CertificateOfAnother",
    "CertificateOutOfDate",
    "CertificateRefused",
    "CertificateUntrusted",
    "ComponentCollision",
    "ConnectionLost",
    "CyclicException",
    "DeadlineExceeded",
    "DuplicateIdentity",
    "EzmsgError",
    "FrameTooLarge",
    "GraphError",
    "InsecureBind",
    "InsecureMetrics",
    "InternalError",
    "InvalidAddress",
    "InvalidMessage",
    "InvalidMetadata",
    "InvalidTopic",
    "LeaseExpired",
    "LinkError",
    "MalformedFrame",
    "OwnershipCollision",
    "ProtocolViolation",
    "RemoteError",
    "RoleRequired",
    "ServerOverloaded",
    "ServerUnreachable",
    "SessionRequired",
    "SettingsUnavailable",
    "StaleRevision",
    "StateUnusable",
    "TlsFailed",
    "TlsNotSpoken",
    "TlsRequired",
    "TlsUnusable",
    "UnitNotOwned",
    "UnknownEndpoint",
    "UnknownMessage",
    "UnknownProcess",
    "UnknownSession",
    "UnreadableToken",
    "UnsafeFolder",
    "VersionMismatch",
    "WayUnusable",
    "WireError",
    "error_classes",
]

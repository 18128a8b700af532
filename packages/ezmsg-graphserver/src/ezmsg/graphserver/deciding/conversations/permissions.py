"""Who may ask what: the one table of the role that each request needs.

Who takes part with messages of its own must be an admin, because a message may carry code. Who hears them is an
operator and no observer: a reader that does not keep up holds up those who publish.
"""

from typing import Any

from ezmsg.protocol.errors import RoleRequired
from ezmsg.protocol.messages import endpoints, events, processes, requests, service, sessions, settings
from ezmsg.protocol.model.process_control import ProcessControlOperation
from ezmsg.protocol.wire.roles import Role

NEEDED: dict[type, Role] = {
    service.TakeTopology: Role.OBSERVER,
    service.TakePeers: Role.OBSERVER,
    sessions.TakeSnapshot: Role.OBSERVER,
    settings.TakeSettings: Role.OBSERVER,
    events.FollowTopology: Role.OBSERVER,
    settings.FollowSettings: Role.OBSERVER,
    # A lifetime to which nothing belongs yet changes nothing.
    sessions.OpenSession: Role.OBSERVER,
    sessions.CloseSession: Role.OBSERVER,
    sessions.ClearSession: Role.OBSERVER,
    # By its operation, see below: this is for those that a process answers by a handler of its own.
    requests.RouteRequest: Role.OPERATOR,
    settings.UpdateSetting: Role.OPERATOR,
    sessions.Connect: Role.OPERATOR,
    sessions.Disconnect: Role.OPERATOR,
    endpoints.DeclareSubscriber: Role.OPERATOR,
    endpoints.Withdraw: Role.OPERATOR,
    endpoints.DeclarePublisher: Role.ADMIN,
    endpoints.DeclareEndpoints: Role.ADMIN,
    endpoints.ReportCut: Role.ADMIN,
    processes.RegisterProcess: Role.ADMIN,
    processes.UpdateOwnership: Role.ADMIN,
    settings.ReportSettings: Role.ADMIN,
    sessions.RegisterMetadata: Role.ADMIN,
    sessions.DropSession: Role.ADMIN,
    service.PauseAll: Role.ADMIN,
    service.ResumeAll: Role.ADMIN,
    service.SyncAll: Role.ADMIN,
    service.Shutdown: Role.ADMIN,
}

READING_OPERATIONS = {
    ProcessControlOperation.PING.value,
    ProcessControlOperation.GET_PROCESS_STATS.value,
    ProcessControlOperation.GET_PROCESS_STACKS.value,
    ProcessControlOperation.GET_PROFILING_SNAPSHOT.value,
}
"""What a process tells and does not change; to trace costs it time, and is for operators."""


def needed(body: Any) -> Role:
    """Return the role that a request needs; one that nobody has thought of, the highest."""
    if isinstance(body, requests.RouteRequest) and body.operation in READING_OPERATIONS:
        return Role.OBSERVER
    if isinstance(body, endpoints.DeclareEndpoints) and not body.publishers:
        return Role.OPERATOR
    return NEEDED.get(type(body), Role.ADMIN)


def check(role: Role, body: Any) -> None:
    """Refuse a request of somebody whose role is too small.

    :raises RoleRequired: then.
    """
    if role < (least := needed(body)):
        operation = body.operation if isinstance(body, requests.RouteRequest) else body.TAG
        raise RoleRequired(operation=operation, needed=least.word, held=role.word)

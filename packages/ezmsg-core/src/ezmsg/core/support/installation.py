"""The one sentence of a mixed installation: the public package over ours.

The public wheel overwrites every door of ours, ``ezmsg/core/__init__.py`` first, so no check in those would
be left. It has a module ``ezmsg.core.profiling`` where we have a package, and of these two Python takes the
package. So what its own ``ezmsg.core`` looks for there, the first of everything that it does not find, ends here.
"""

from importlib.metadata import PackageNotFoundError, version

from ezmsg.control.errors import MixedInstallation


def refuse_mixed() -> None:
    """Refuse to go on if a public package is installed; where a name was looked for that we do not have.

    :raises MixedInstallation: an ImportError, so that an import fails with it.
    """
    try:
        public, ours = version("ezmsg"), version("ezmsg-core")
    except PackageNotFoundError:
        return
    if public.partition(".")[0] in ("1", "2", "3"):
        raise MixedInstallation(public=public, ours=ours)

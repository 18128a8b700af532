"""The public package over ours: an import says so in a sentence, the doctor which files; in the good case, nothing.

What its wheel does is done here with files of the same names, so that no index is needed; `hatch run distributions`
does it with the wheel itself.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ezmsg.core
from ezmsg.control.errors import MixedInstallation
from ezmsg.core.support import installation

HANG = 30.0
PUBLIC_INIT = "from .pubclient import Publisher\n"
PUBLIC_PUBCLIENT = "from .profiling import PROFILES, PROFILE_TIME\n\n\nclass Publisher: ...\n"


def lay_metadata(folder: Path, name: str, version: str, files: tuple[str, ...] = ()) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},sha256=0,1\n" for file in files))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Our core with the public package's files over its doors."""
    site = tmp_path / "site"
    core = site / "ezmsg" / "core"
    ours = Path(ezmsg.core.__file__).parent
    shutil.copytree(ours, core, ignore=shutil.ignore_patterns("__pycache__"))
    (core / "__init__.py").write_text(PUBLIC_INIT)
    (core / "pubclient.py").write_text(PUBLIC_PUBCLIENT)
    (core / "profiling.py").write_text("PROFILES = PROFILE_TIME = None\n")
    shared = ("ezmsg/core/__init__.py", "ezmsg/core/pubclient.py")
    lay_metadata(site, "ezmsg", "3.10.0b5", shared)
    lay_metadata(site, "ezmsg-core", "0.1.0", shared)
    return site


def python(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)


def test_an_import_says_in_a_sentence_what_is_wrong_and_what_to_do(mixed: Path) -> None:
    done = python(mixed, "-c", "import ezmsg.core as ez")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ezmsg.control.errors.MixedInstallation: EZ-4401  The public ezmsg 3.10.0b5 is installed over ezmsg-core "
        "0.1.0, and neither works so. Run: pip uninstall ezmsg, then install ours again, ezmsg too, with "
        "pip install --force-reinstall; python -m ezmsg.control doctor writes the whole line."
    )


def test_it_can_be_caught_as_any_failed_import(mixed: Path) -> None:
    program = "try:\n    import ezmsg.core\nexcept ImportError as error:\n    print(error.code)"
    assert python(mixed, "-c", program).stdout == "EZ-4401\n"


def test_the_doctor_works_there(mixed: Path) -> None:
    done = python(mixed, "-m", "ezmsg.control", "doctor")
    assert done.returncode == 1
    what = 'distribution "ezmsg" 3.10.0b5, the public package, is installed over ezmsg-core 0.1.0'
    assert f" FAIL  {what}" in done.stdout
    assert "(EZ-4401)" in done.stdout


def test_a_good_installation_pays_nothing() -> None:
    look = "print('ezmsg.core.support.installation' in sys.modules)"
    program = f"import sys, ezmsg.core as ez; ez.Unit, ez.run, ez.GraphContext; {look}"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout == "False\n"


def test_a_name_that_nobody_has_is_an_attribute_error() -> None:
    from ezmsg.core import profiling

    with pytest.raises(AttributeError, match="no attribute 'PROFILES'"):
        profiling.PROFILES  # noqa: B018


@pytest.mark.parametrize("version", ["3.6.2", "3.10.0b5"])
def test_what_is_mixed_by_its_versions(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "version", {"ezmsg": version, "ezmsg-core": "0.1.0"}.__getitem__)
    with pytest.raises(MixedInstallation, match=version):
        installation.refuse_mixed()

"""Programs written for the public package do with ours what was recorded of them there.

The programs, and the comparison with the public package itself, are in ``scripts/compat``.
"""

import ast
import json
import sys
from pathlib import Path

import pytest

LIMIT_S = 60
"""Less than the time after which a test gives up, so that what a hanging program said is told.

Some of the programs have two dozen runs, each with processes of its own.
"""

COMPAT = Path(__file__).parents[2] / "scripts" / "compat"
PROGRAMS = sorted(path for path in (COMPAT / "programs").glob("*.py") if path.name != "say.py")


@pytest.mark.timeout(2 * LIMIT_S)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_behaves_as_recorded(program, start):
    arguments = ("--recorded", "--only", program.stem, "--limit", str(LIMIT_S))
    compared = start.command(sys.executable, str(COMPAT / "compare.py"), *arguments)
    assert compared.ends(LIMIT_S + 20) == 0, compared.story()


def test_the_comparison_fails_where_a_program_behaves_differently(start, tmp_path):
    """A recorded line that our packages do not say, and one that is missing, are both told of."""
    copy = tmp_path / "compat"
    (copy / "programs").mkdir(parents=True)
    for path in (*COMPAT.glob("*.py"), COMPAT / "programs" / "say.py"):
        (copy / path.relative_to(COMPAT)).write_bytes(path.read_bytes())
    (tmp_path / "peers.py").write_bytes((COMPAT.parent / "peers.py").read_bytes())
    program = copy / "programs" / "small.py"
    program.write_text('from say import say\n\nsay("one", 1)\nsay("more", 2)\n', encoding="utf-8")
    recorded = {"public": {"one": ["0"], "exit status": ["0"]}, "ours_where_it_differs": {}}
    program.with_suffix(".json").write_text(json.dumps(recorded), encoding="utf-8")

    compared = start.command(sys.executable, str(copy / "compare.py"), "--recorded")

    assert compared.ends() == 1
    assert [line.strip() for line in compared.out if line.strip()[:1] in "+-" and line.strip()[1:2].isdigit()] == [
        "+2",
        "-0",
        "+1",
    ]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_is_recorded_and_says_what_it_covers(program):
    recorded = json.loads(program.with_suffix(".json").read_text(encoding="utf-8"))
    assert recorded["public"]["exit status"] == ["0"]
    assert ast.get_docstring(ast.parse(program.read_text(encoding="utf-8")))

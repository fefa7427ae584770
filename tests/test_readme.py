"""What the README tells people to type does what it says."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from beyondrate.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]):
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 1
    exec(blocks[0], {})
    assert "counts" in capsys.readouterr().out


def test_every_command_of_the_table_exists():
    table = re.findall(r"^\| (`beyondrate .*?) \|", README, flags=re.MULTILINE)
    assert len(table) >= 5
    root = typer.main.get_command(app)
    for cell in table:
        first, *others = re.findall(r"`([^`]+)`", cell)
        words = shlex.split(first)[1:]
        command = root.commands[words[0]]
        if hasattr(command, "commands"):
            names = [words[1], *(shlex.split(other)[0] for other in others)]
            assert set(names) <= set(command.commands), cell
    for name, command in root.commands.items():
        assert f"beyondrate {name}" in README, f"the README does not mention {name}"
        for inner in getattr(command, "commands", {}):
            assert f"`{inner}" in README or f"{name} {inner}" in README


@pytest.mark.parametrize(
    "words", [[], ["audit"], ["encode"], ["data"], ["variant", "norm"], ["perturb", "jitter"]]
)
def test_every_command_explains_itself(words: list[str]):
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_the_picture_of_the_report_is_there():
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000

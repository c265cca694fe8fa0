"""What packages are made of: extras, locks, wheels; the packages themselves are built in ``tests/packages``."""

from __future__ import annotations

import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from deployment import package
from deployment.functions import ROOT, built_from_source, extras, lock_file
from deployment.wheels import PackageError, names_in, normalised, unpack

FUNCTIONS = sorted(file.parent.name for file in (ROOT / "functions").glob("*/index.py"))
#: Extra to a distribution that marks it.
MARKS = {"postgres": "psycopg", "vpc": "alibabacloud-vpc20160428", "mns": "aliyun-mns-sdk", "notify": "jinja2",
         "fc": "alibabacloud-fc20230330", "console": "starlette"}  # fmt: skip
#: Extras of people, never of a function.
OF_PEOPLE = {"cli", "ops"}


def pins(file: Path) -> set[str]:
    return set(re.findall(r"^[A-Za-z0-9._-]+==[^\s;]+", file.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_function_says_what_it_needs() -> None:
    assert sorted(extras()) == FUNCTIONS
    known = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    assert known - OF_PEOPLE >= {extra for wanted in extras().values() for extra in wanted}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_lock_holds_the_functions_own_extras_and_no_others(name: str) -> None:
    locked = names_in(lock_file(name))
    assert "pydantic" in locked
    for extra, mark in MARKS.items():
        shared = mark == "jinja2" and "console" in extras()[name]
        assert (mark in locked) is (extra in extras()[name] or shared), extra


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_lock_pins_what_the_tests_run_with_and_names_no_index(name: str) -> None:
    text = lock_file(name).read_text(encoding="utf-8")
    assert pins(lock_file(name)) <= pins(ROOT / "requirements" / "dev.txt")
    assert text.count("--hash=sha256:") >= len(pins(lock_file(name)))
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_only_relay_and_reconcile_carry_the_vpc_sdk() -> None:
    assert [name for name, wanted in extras().items() if "vpc" in wanted] == ["reconcile", "relay"]


def test_what_is_built_from_source_is_locked_somewhere() -> None:
    assert built_from_source() <= set().union(*(names_in(lock_file(name)) for name in FUNCTIONS))


def test_names_are_compared_as_indexes_do() -> None:
    assert normalised("Alibabacloud_Tea.OpenAPI") == "alibabacloud-tea-openapi"


def wheel(folder: Path, files: dict[str, str]) -> Path:
    file = folder / "example-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file


def test_a_wheel_is_unpacked_as_an_installer_would_without_its_scripts(tmp_path: Path) -> None:
    files = {
        "example/__init__.py": "a",
        "example-1.0.data/purelib/more.py": "b",
        "example-1.0.data/platlib/native.so": "c",
        "example-1.0.data/scripts/run": "d",
        "example-1.0.data/data/share/man": "e",
        "example-1.0.dist-info/METADATA": "f",
    }
    unpack(wheel(tmp_path, files), tmp_path / "out")
    found = {str(f.relative_to(tmp_path / "out")): f.read_text() for f in (tmp_path / "out").rglob("*") if f.is_file()}
    assert found == {
        "example/__init__.py": "a",
        "more.py": "b",
        "native.so": "c",
        "example-1.0.dist-info/METADATA": "f",
    }


@pytest.mark.parametrize("name", ["../outside.py", "example/../../outside.py", "/outside.py"])
def test_a_wheel_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageError, match="leads out"):
        unpack(wheel(tmp_path, {name: ""}), tmp_path / "out")


def test_without_the_runtimes_python_it_stops_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHON312", str(tmp_path / "none"))
    assert package.main(["billing", "--output", str(tmp_path), "--wheels", str(tmp_path / "w")]) == 1
    said = capsys.readouterr().err
    assert "needs Python 3.12" in said
    assert "make package PYTHON312=" in said
    assert list(tmp_path.iterdir()) == []


def test_a_named_python_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON312", sys.executable)
    monkeypatch.setattr(package, "PYTHON", "3.99")
    with pytest.raises(PackageError, match=r"needs Python 3\.99"):
        package.runtime_python()


def test_the_running_python_is_used_when_it_is_the_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHON312", raising=False)
    monkeypatch.setattr(package, "PYTHON", "{}.{}".format(*sys.version_info[:2]))
    assert package.runtime_python() == sys.executable

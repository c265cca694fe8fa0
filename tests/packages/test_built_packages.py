"""Packages as ``make package`` builds them: the same bytes twice, loadable, and at work under Python 3.12.

Building downloads and compiles, so these are part of ``make prove`` and not of ``make test``. Function Compute itself
has never seen a package.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deployment.functions import ROOT
from deployment.package import Package, build_packages, runtime_python
from deployment.wheels import PackageError
from localcloud.bootstrap import frame, read_frame
from localcloud.scenario.event_files import event_in

NAME = "port_events"
SECRET = "an-access-key-secret-of-the-test"


@pytest.fixture(scope="session")
def python() -> str:
    try:
        return runtime_python()
    except PackageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built(python: str, tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("first")
    return build_packages(folder / "functions", (NAME,), folder / "wheels")[0]


def test_the_same_sources_give_the_same_bytes(built: Package, tmp_path: Path) -> None:
    again = build_packages(tmp_path / "functions", (NAME,), tmp_path / "wheels")[0]
    assert again.archive.read_bytes() == built.archive.read_bytes()


def test_zip_and_folder_hold_the_same(built: Package) -> None:
    with zipfile.ZipFile(built.archive) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        dates = {entry.date_time for entry in archive.infolist()}
    files = {f.relative_to(built.folder).as_posix(): f.read_bytes() for f in built.folder.rglob("*") if f.is_file()}
    assert entries == files
    assert dates == {(1980, 1, 2, 0, 0, 0)}
    assert {"index.py", "__pycache__/index.cpython-312.pyc", "crossport/domain/decide.py"} <= files.keys()
    assert not any(name.startswith(("localcloud/", "deployment/", "tests/", "bin/")) for name in files)


def test_every_module_has_byte_code_that_is_never_checked(built: Package) -> None:
    for source in built.folder.rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-312.pyc"
        assert compiled.is_file(), source
        flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
        assert flags == 0b01, source  # hash-based, unchecked (PEP 552)


def test_only_what_the_functions_lock_names_is_inside(built: Package) -> None:
    tops = {place.name for place in built.folder.iterdir()}
    assert {"crossport", "pydantic", "psycopg", "mns"} <= tops
    assert not tops & {"alibabacloud_vpc20160428", "jinja2", "babel", "typer", "rich", "yaml", "sqlalchemy", "alembic"}


def test_native_modules_are_for_the_runtime(built: Package) -> None:
    names = [file.name for file in built.folder.rglob("*.so")]
    assert names
    assert all("cpython-312-x86_64-linux-gnu" in name or ".abi3." in name or name.count(".") == 1 for name in names)


def store(folder: Path) -> str:
    """A migrated store with the scenarios' configuration."""
    url = f"sqlite:///{folder / 'store.db'}"
    command = [str(Path(sys.executable).with_name("crossport"))]
    options = ["--db", url]
    applied = ["apply", "events/scenarios/partner.yaml", "--actor", "test", "--reason", "test"]
    for arguments in (["migrate"], applied):
        subprocess.run([*command, *arguments, *options], cwd=ROOT, check=True, capture_output=True)
    return url


def test_a_package_works_as_a_worker_of_the_local_cloud(built: Package, python: str, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FC_ACCOUNT_ID": "1180000000000001",
        "FC_REGION": "us-east-1",
        "FC_FUNCTION_NAME": NAME,
        "FC_FUNC_CODE_PATH": str(built.folder),
        "CROSSPORT_REGION": "us-east-1",
        "CROSSPORT_DB": store(tmp_path),
        # Nobody listens: the poke after the commit fails, which is only logged.
        "CROSSPORT_MNS_ENDPOINT": "http://127.0.0.1:9",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
    }
    with ours, theirs:
        worker = subprocess.Popen(
            [python, "-m", "localcloud.bootstrap", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            cwd=built.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        start = {"do": "start", "name": NAME, "handler": "index.handler", "runtime": "python3.12", "memory": 512}
        event = event_in(ROOT / "events" / "port_events.port-created.console.json")
        answers = []
        for head, payload in (
            ({**start, "timeout": 60, "request_id": "r-0", "hook": "index.initialize"}, b""),
            ({"do": "invoke", "request_id": "r-1"}, event),
            ({"do": "invoke", "request_id": "r-2"}, event),
            ({"do": "stop", "request_id": "r-3", "hook": "index.pre_stop"}, b""),
        ):
            ours.sendall(frame(head, payload))
            answers.append(read_frame(ours.fileno()))
        output, _ = worker.communicate()
    assert all(answer is not None and answer[0] == {"ok": True} for answer in answers), output
    verdicts = [json.loads(answer[1])["verdicts"][0]["verdict"] for answer in answers[1:3] if answer is not None]
    assert verdicts == ["applied", "duplicate"]
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["event"] for line in lines] == ["record", "poke_failed", "record"]
    # The SDK of the package was there and found nobody; a missing module would have another reason.
    assert lines[1]["reason"] == "queue_unavailable"
    assert SECRET not in output

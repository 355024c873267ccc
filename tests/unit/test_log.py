"""Logs of a process: one JSON object a line, or readable, and optionally to syslog. Each in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

from tests.support.processes import REPOSITORY


def logged(options: str, statements: str = "log.info('hello', count=3)") -> list[str]:
    script = f"from shared import log as logging, structlog\nlogging.configure({options})\n".replace(", structlog", "")
    script += f"import structlog\nlog = structlog.get_logger('test')\n{statements}\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_lines_carry_the_fields_of_the_process() -> None:
    (line,) = logged("form='json', service='instance', instance='ci-runner-1'")
    found = json.loads(line)
    assert {"event": "hello", "count": 3, "level": "info", "instance": "ci-runner-1"}.items() <= found.items()
    assert found["timestamp"].endswith("Z")


def test_without_a_terminal_auto_is_json_and_console_is_readable() -> None:
    assert json.loads(logged("")[0])["event"] == "hello"
    assert "hello" in logged("form='console'")[0]
    assert not logged("form='console'")[0].startswith("{")


def test_the_level_is_kept_and_an_exception_stays_one_line() -> None:
    statements = "log.debug('no')\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('failed')"
    (line,) = logged("form='json'", statements)
    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_a_correlation_id_bound_once_stands_in_every_line() -> None:
    statements = "structlog.contextvars.bind_contextvars(correlation_id='c1')\nlog.info('a')\nlog.info('b')"
    assert [json.loads(line)["correlation_id"] for line in logged("form='json'", statements)] == ["c1", "c1"]


def test_other_libraries_are_logged_in_the_same_form() -> None:
    (line,) = logged("form='json'", "import logging as plain\nplain.getLogger('nats').warning('slow %s', 'consumer')")
    assert json.loads(line)["event"] == "slow consumer"


def test_syslog_gets_the_same_lines() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        logged(f"form='json', syslog='127.0.0.1:{server.getsockname()[1]}'")
        message = server.recv(4096).decode()
    priority, _, line = message.partition(": ")
    assert priority.startswith("<14>flocklore")
    assert json.loads(line.rstrip("\0"))["count"] == 3

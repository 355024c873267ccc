"""Entry points: how what a repository builds is started or used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.manifests import executables, libraries
from instance.learning.architecture.outline import Outline
from instance.learning.architecture.pattern import ArchitecturePattern, pattern

_DESCRIPTIONS = MappingProxyType(
    {
        "entry.executable": "builds programs that are started by name",
        "entry.module-main": "runs as a Python module",
        "entry.cli": "programs that read a command line",
        "entry.http": "serves HTTP",
        "entry.worker": "works on jobs in the background",
        "entry.scheduled": "runs code at set times",
        "entry.library": "is imported by other code",
    }
)
_BY_IMPORT = MappingProxyType(
    {
        ("entry.cli", "python"): "argparse click typer docopt fire cleo cyclopts",
        ("entry.cli", "typescript"): "commander yargs meow cac oclif @oclif/core clipanion citty minimist",
        ("entry.cli", "go"): "flag github.com/spf13/cobra github.com/urfave/cli github.com/spf13/pflag"
        " github.com/alecthomas/kingpin github.com/alecthomas/kong",
        ("entry.cli", "rust"): "clap structopt argh pico_args lexopt gumdrop",
        ("entry.cli", "java"): "picocli org.apache.commons.cli com.beust.jcommander org.kohsuke.args4j",
        ("entry.cli", "elixir"): "OptionParser Optimus",
        ("entry.http", "python"): "flask fastapi django.urls starlette aiohttp.web sanic tornado.web falcon bottle"
        " pyramid litestar quart robyn http.server uvicorn gunicorn",
        ("entry.http", "typescript"): "express fastify koa @nestjs/core hono next @hapi/hapi restify h3 elysia"
        " @remix-run/node @sveltejs/kit",
        ("entry.http", "go"): "github.com/gin-gonic/gin github.com/labstack/echo github.com/go-chi/chi"
        " github.com/gofiber/fiber github.com/gorilla/mux github.com/julienschmidt/httprouter",
        ("entry.http", "rust"): "actix_web axum rocket warp poem tide salvo",
        ("entry.http", "java"): "org.springframework.web jakarta.ws.rs javax.ws.rs io.javalin jakarta.servlet"
        " javax.servlet io.micronaut.http.annotation io.vertx.ext.web com.sun.net.httpserver",
        ("entry.http", "elixir"): "Phoenix.Router Phoenix.Endpoint Plug.Router Bandit Plug.Cowboy",
        ("entry.worker", "python"): "celery rq dramatiq huey arq procrastinate taskiq temporalio",
        ("entry.worker", "typescript"): "bullmq bull bee-queue agenda @temporalio/worker pg-boss graphile-worker",
        ("entry.worker", "go"): "github.com/hibiken/asynq github.com/riverqueue/river go.temporal.io/sdk/worker"
        " github.com/RichardKnop/machinery",
        ("entry.worker", "rust"): "apalis fang",
        ("entry.worker", "java"): "org.jobrunr org.springframework.batch jakarta.batch",
        ("entry.worker", "elixir"): "Oban.Worker Broadway Exq",
        ("entry.scheduled", "python"): "apscheduler schedule crontab",
        ("entry.scheduled", "typescript"): "node-cron cron node-schedule @nestjs/schedule croner",
        ("entry.scheduled", "go"): "github.com/robfig/cron github.com/go-co-op/gocron",
        ("entry.scheduled", "rust"): "tokio_cron_scheduler clokwerk",
        ("entry.scheduled", "java"): "org.springframework.scheduling org.quartz",
        ("entry.scheduled", "elixir"): "Quantum",
    }
)  # fmt: skip
_NEEDS_A_PROGRAM = "entry.cli"  # a library may import a parser of command lines without having one
_SEPARATORS = re.compile(r"[./]|::")


def entry_points(evidence: Evidence) -> dict[str, list[str]]:
    """Return the files that are, or declare, entry points, by kind; names stay on this machine."""
    found: dict[str, list[str]] = {
        "entry.executable": sorted({*executables(evidence.documents), *_mains(evidence)}),
        "entry.module-main": [path for path in _files(evidence, "python") if path.endswith("__main__.py")],
        "entry.library": sorted({*libraries(evidence.documents), *_library_roots(evidence)}),
    }
    for (kind, language), names in _BY_IMPORT.items():
        users = importing(evidence, language, names.split())
        found[kind] = [*found.get(kind, ()), *users]
    if not found["entry.executable"] and not found["entry.module-main"]:
        found[_NEEDS_A_PROGRAM] = []
    return {kind: paths for kind, paths in found.items() if paths}


def entry_patterns(entries: Mapping[str, list[str]]) -> Iterator[ArchitecturePattern]:
    """Yield the kinds of entry points there are."""
    for kind, paths in entries.items():
        yield pattern(kind, len(paths), _DESCRIPTIONS[kind])


def importing(evidence: Evidence, language: str, modules: Iterable[str]) -> list[str]:
    """Return the files of a family of languages that need one of these foreign modules or something below it."""
    wanted = frozenset(modules)
    graph = evidence.graphs.get(language)
    own = graph.own if graph is not None else frozenset()
    return [
        path
        for path, outline in evidence.production.get(language, {}).items()
        if any(_is_below(module, wanted) for module in _spelled(outline, own))
    ]


def _spelled(outline: Outline, own: frozenset[str]) -> Iterator[str]:
    """Yield every foreign module a file needs, and what it takes from there by name."""
    for need in outline.needs:
        if need.module in own:
            continue
        yield need.module
        yield from (f"{need.module}.{name}" for name in need.names)


def _is_below(module: str, wanted: frozenset[str]) -> bool:
    if module in wanted:
        return True
    return any(module[: match.start()] in wanted for match in _SEPARATORS.finditer(module))


def _files(evidence: Evidence, language: str) -> Iterable[str]:
    return evidence.production.get(language, {})


def _mains(evidence: Evidence) -> Iterator[str]:
    """Yield the files in which compiled programs begin."""
    for path, outline in evidence.production.get("go", {}).items():
        if "main" in outline.declares and outline.counts.get("main"):
            yield path
    for path in _files(evidence, "rust"):
        if path.endswith("src/main.rs") or "/src/bin/" in f"/{path}":
            yield path
    for path, outline in evidence.production.get("java", {}).items():
        if outline.counts.get("main"):
            yield path


def _library_roots(evidence: Evidence) -> Iterator[str]:
    yield from (path for path in _files(evidence, "rust") if path.endswith("src/lib.rs"))
    for path, outline in evidence.production.get("go", {}).items():
        if "/" not in path and "main" not in outline.declares:
            yield path
            return

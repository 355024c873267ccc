"""Manifests and locks of Cargo, Hex and Go."""

from __future__ import annotations

from textwrap import dedent

import pytest

from instance.learning.technology.dependency import Dependency, Scope
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.manifests import read_manifest
from instance.learning.technology.merging import merged


def _read(*files: tuple[str, str]) -> list[tuple[str, str, str | None, Scope]]:
    found: tuple[Dependency, ...] = merged([read_manifest(path, dedent(source)) for path, source in files])
    return [(each.name, each.spec, each.version, each.scope) for each in found]


def test_cargo_knows_kinds_targets_and_renames() -> None:
    source = """
        [package]
        name = "shop"
        [dependencies]
        serde = { version = "1", features = ["derive"] }
        web = { package = "axum", version = "0.7" }
        tracing = { version = "0.1", optional = true }
        core = { path = "../core", version = "1" }
        [build-dependencies]
        cc = "1"
        [target.'cfg(unix)'.dev-dependencies]
        nix = "0.27"
    """
    assert _read(("Cargo.toml", source)) == [
        ("axum", "0.7", None, Scope.RUNTIME),
        ("cc", "1", None, Scope.BUILD),
        ("nix", "0.27", None, Scope.DEV),
        ("serde", "1", None, Scope.RUNTIME),
        ("tracing", "0.1", None, Scope.OPTIONAL),
    ]


def test_cargo_members_inherit_from_their_workspace() -> None:
    root = """
        [workspace]
        members = ["a", "b"]
        [workspace.dependencies]
        tokio = { version = "1.36" }
        b = { path = "b" }
        unused = "9"
    """
    member = '[package]\nname = "a"\n[dependencies]\ntokio.workspace = true\nb = { workspace = true }'
    lock = '[[package]]\nname = "a"\nversion = "0.1.0"\n' + "".join(
        f'[[package]]\nname = "tokio"\nversion = "{version}"\nsource = "registry"\n' for version in ("0.2.25", "1.37.0")
    )
    assert _read(("Cargo.toml", root), ("a/Cargo.toml", member), ("Cargo.lock", lock)) == [
        ("tokio", "1.36", "1.37.0", Scope.RUNTIME),
        ("tokio", "", "0.2.25", Scope.INDIRECT),
    ]


MIX = """
    defmodule Shop.MixProject do
      use Mix.Project

      def project do
        [app: :shop, version: "0.1.0", deps: deps(), aliases: [test: {:ok, "not a package"}]]
      end

      defp deps do
        [
          {:phoenix, "~> 1.7.10"},
          {:credo, ">= 1.0.0 and < 2.0.0", only: [:dev, :test], runtime: false},
          {:esbuild, "~> 0.8", runtime: false},
          {:sentry, "~> 10.0", optional: true},
          {:tool, "~> 1.0", only: [:dev, :prod]},
          {:core, in_umbrella: true},
          {:shared, path: "../shared"},
          {:fork, github: "someone/fork"}
        ]
      end
    end
"""


def test_mix_projects_are_read_from_their_syntax() -> None:
    lock = """
        %{
          "phoenix": {:hex, :phoenix, "1.7.12", "aa", [:mix], [], "hexpm", "bb"},
          "plug": {:hex, :plug, "1.15.3", "aa", [:mix], [], "hexpm", "bb"},
          "fork": {:git, "https://example.org/fork.git", "cafe", []},
        }
    """
    assert _read(("mix.exs", MIX), ("mix.lock", lock)) == [
        ("credo", ">= 1.0.0 and < 2.0.0", None, Scope.DEV),
        ("esbuild", "~> 0.8", None, Scope.BUILD),
        ("fork", "", None, Scope.RUNTIME),
        ("phoenix", "~> 1.7.10", "1.7.12", Scope.RUNTIME),
        ("plug", "", "1.15.3", Scope.INDIRECT),
        ("sentry", "~> 10.0", None, Scope.OPTIONAL),
        ("tool", "~> 1.0", None, Scope.RUNTIME),
    ]
    assert read_manifest("mix.exs", dedent(MIX)).own == {"shop"}


GO_MOD = """
    module example.org/shop // ours

    go 1.22

    require (
    \tgithub.com/gin-gonic/gin v1.9.1
    \tgithub.com/bytedance/sonic v1.11.0 // indirect
    \texample.org/forked v1.0.0
    \texample.org/beside v1.0.0
    \texample.org/bad v0.1.0
    )

    require github.com/spf13/cobra v1.8.0

    exclude example.org/bad v0.1.0
    replace example.org/forked => github.com/us/forked v1.0.1
    replace (
    \texample.org/beside => ../beside
    )
"""


def test_go_modules_are_replaced_excluded_and_indirect() -> None:
    sums = """
        github.com/gin-gonic/gin v1.8.0 h1:aaaa=
        github.com/gin-gonic/gin v1.9.1 h1:aaaa=
        github.com/gin-gonic/gin v1.9.1/go.mod h1:aaaa=
        golang.org/x/net v0.9.0 h1:aaaa=
        golang.org/x/net v0.10.0 h1:aaaa=
        golang.org/x/sys v0.1.0/go.mod h1:aaaa=
    """
    assert _read(("go.mod", GO_MOD), ("go.sum", sums)) == [
        ("github.com/bytedance/sonic", "v1.11.0", "v1.11.0", Scope.INDIRECT),
        ("github.com/gin-gonic/gin", "v1.9.1", "v1.9.1", Scope.RUNTIME),
        ("github.com/spf13/cobra", "v1.8.0", "v1.8.0", Scope.RUNTIME),
        ("github.com/us/forked", "v1.0.1", "v1.0.1", Scope.RUNTIME),
        ("golang.org/x/net", "", "v0.10.0", Scope.INDIRECT),
    ]


@pytest.mark.parametrize(
    ("path", "source"),
    [("Cargo.toml", "[package"), ("go.mod", "go 1.22"), ("mix.exs", "hello"), ("mix.lock", "[]"), ("Cargo.lock", "=")],
)
def test_what_is_not_what_its_name_says_is_unreadable(path: str, source: str) -> None:
    with pytest.raises(UnreadableError):
        read_manifest(path, source)

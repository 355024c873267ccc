"""The import graphs of the other languages, on small trees."""

from __future__ import annotations

from instance.learning.architecture.outline import Reach
from tests.support.trees import edges_of, graph_of


def test_scripts_find_files_by_what_they_are_called_or_become() -> None:
    assert edges_of(
        {
            "src/a.ts": 'import { b } from "./b.js";\nimport "./side";\nexport * from "./folder";\nimport "react";\n',
            "src/b.ts": 'const c = require("./c");\nlet p;\nasync function f() { p = await import("./late"); }\n',
            "src/side.jsx": 'export { default } from "../up.mjs";\n',
            "src/folder/index.tsx": 'import a = require("../a");\nimport data from "./data.json";\n',
            "src/c.cjs": "", "src/late.ts": "", "up.mjs": 'import y from "../../outside";\n',
        }
    ) == {
        "src/a.ts": ["src/b.ts", "src/folder/index.tsx", "src/side.jsx"],
        "src/b.ts": ["src/c.cjs", "src/late.ts"],
        "src/side.jsx": ["up.mjs"],
        "src/folder/index.tsx": ["src/a.ts"],
    }  # fmt: skip


def test_scripts_tell_types_from_values_and_now_from_later() -> None:
    found = graph_of(
        {
            "a.ts": 'import type { A } from "./t1";\nimport { type B, type C } from "./t2";\n'
            'import { type D, e } from "./v";\n'
            'export type { F } from "./t3";\ntype G = import("./t4").G;\nconst l = () => import("./l");\n'
            'import type from "./odd";\n',
            **{f"{name}.ts": "" for name in ("t1", "t2", "t3", "t4", "v", "l", "odd")},
        }
    )
    reach = found.needs["a.ts"]
    assert {name for name, when in reach.items() if when == Reach.TYPES} == {"t1.ts", "t2.ts", "t3.ts", "t4.ts"}
    assert reach["l.ts"] == Reach.LATER
    assert (reach["v.ts"], reach["odd.ts"]) == (Reach.LOAD, Reach.LOAD)


def test_scripts_follow_the_aliases_of_their_build() -> None:
    assert edges_of(
        {
            "tsconfig.base.json": '{ // shared\n'
            '"compilerOptions": {"baseUrl": ".", "paths": {"@lib/*": ["libs/*/src"],}}}',
            "apps/web/tsconfig.json": '{ "extends": "../../tsconfig.base" }',
            "apps/web/package.json": '{"name": "web", "imports": {"#deep/*": {"default": "./src/deep/*.ts"}}}',
            "apps/web/src/main.ts": 'import "@lib/one";\nimport "@acme/two";\nimport "@acme/two/sub";\n'
            'import "@/local";\n'
            'import "#deep/x";\nimport "left-pad";\n',
            "apps/web/src/local.ts": "", "apps/web/src/deep/x.ts": "",
            "libs/one/src/index.ts": "",
            "packages/two/package.json": '{"name": "@acme/two", "main": "./dist/entry.js"}',
            "packages/two/src/entry.ts": "", "packages/two/src/sub.ts": "",
        }
    ) == {
        "apps/web/src/main.ts": [
            "apps/web/src/deep/x.ts", "apps/web/src/local.ts", "libs/one/src/index.ts",
            "packages/two/src/entry.ts", "packages/two/src/sub.ts",
        ]
    }  # fmt: skip


def test_go_packages_are_directories_below_their_module() -> None:
    found = graph_of(
        {
            "go.mod": "module example.com/shop\n\ngo 1.22\n",
            "build/go.mod": "module example.com/shop/tools\n",
            "main.go": 'package main\nimport (\n\t"example.com/shop/internal/cart"\n\t_ "example.com/shop/gone"\n)\n',
            "internal/cart/cart.go": 'package cart\nimport p "example.com/shop/internal/price"\n',
            "internal/cart/more.go": 'package cart\nimport "example.com/shop/tools/gen"\n',
            "internal/price/price.go": 'package price\nimport "example.com/other"\n',
            "build/gen/gen.go": "package gen\n",
        }
    )
    assert {node: sorted(targets) for node, targets in found.edges.items() if targets} == {
        ".": ["internal/cart"],
        "internal/cart": ["build/gen", "internal/price"],
    }
    assert found.missed == 1


def test_java_packages_are_directories_that_declare_them() -> None:
    found = graph_of(
        {
            "core/src/main/java/org/acme/core/Core.java": "package org.acme.core;\nclass Core {}\n",
            "core/src/test/java/org/acme/core/CoreTest.java": "package org.acme.core;\nimport org.acme.web.Web;\n",
            "core/src/test/java/org/acme/web/Fake.java": "package org.acme.web;\nclass Fake {}\n",
            "web/src/main/java/org/acme/web/Web.java": "package org.acme.web;\nimport org.acme.core.Core;\n"
            "import static org.acme.core.Core.Inner.f;\nimport java.util.List;\n"
            "import org.acme.web.gone.X;\nclass Web {}\n",
        }
    )
    web = "web/src/main/java/org/acme/web"
    assert found.edges[web] == {"core/src/main/java/org/acme/core"}
    assert found.edges["core/src/test/java/org/acme/core"] == {"core/src/test/java/org/acme/web"}


def test_rust_modules_are_files_and_containing_one_is_no_dependency() -> None:
    found = graph_of(
        {
            "Cargo.toml": '[package]\nname = "my-app"\n',
            "src/lib.rs": "mod store;\npub mod api;\nuse store::Store;\nuse std::io;\n",
            "src/main.rs": "use my_app::api::serve;\nfn main() { serve(); }\n",
            "src/api/mod.rs": "mod routes;\npub fn serve() { routes::all(); crate::store::open(); }\n"
            "mod inner { use super::routes; }\n",
            "src/api/routes.rs": "use super::*;\nuse super::super::store::{Store, disk::Disk};\n",
            "src/store.rs": "pub mod disk;\n",
            "src/store/disk.rs": "#[cfg(test)]\nmod tests { use super::*; }\n",
            "tests/all.rs": "use my_app::store;\n",
        }
    )
    assert {node: sorted(targets) for node, targets in found.edges.items() if targets} == {
        "src/lib.rs": ["src/store.rs"],
        "src/main.rs": ["src/api/mod.rs"],
        "src/api/mod.rs": ["src/api/routes.rs", "src/store.rs"],
        "src/api/routes.rs": ["src/api/mod.rs", "src/store.rs", "src/store/disk.rs"],
        "tests/all.rs": ["src/store.rs"],
    }
    assert found.needs["src/store.rs"] == {"src/store/disk.rs": Reach.HOLDS}


def test_elixir_modules_are_found_by_name_through_aliases() -> None:
    found = graph_of(
        {
            "lib/shop.ex": "defmodule Shop do\n  alias Shop.{Cart, Deep.Price, Only}\n  use Shop.Macros\n"
            "  def f(x), do: Cart.add(x)\n  defmodule Inner do\n    def g, do: Enum.map([], &Price.of/1)\n  end\nend\n",
            "lib/cart.ex": "defmodule Shop.Cart do\n  def add(%Shop.Inner{} = x), do: x\nend\n",
            "lib/price.ex": "defmodule Shop.Deep.Price do\n  alias __MODULE__.{Tax}\n"
            "  def f, do: Tax.of(__MODULE__.Sum.zero())\nend\n",
            "lib/tax.ex": "defmodule Shop.Deep.Price.Tax do\nend\n",
            "lib/sum.ex": "defmodule Shop.Deep.Price.Sum do\nend\n",
            "lib/only.ex": "defmodule Shop.Only do\nend\n",
            "lib/macros.ex": "defmodule Shop.Macros do\nend\n",
        }
    )
    assert found.needs["lib/shop.ex"] == {
        "lib/cart.ex": Reach.LATER,
        "lib/price.ex": Reach.LATER,
        "lib/only.ex": Reach.LATER,
        "lib/macros.ex": Reach.LOAD,
    }
    assert found.edges["lib/cart.ex"] == {"lib/shop.ex"}
    assert found.edges["lib/price.ex"] == {"lib/tax.ex", "lib/sum.ex"}

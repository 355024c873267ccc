"""The same small program in every language: `{a}` to `{e}` are locals, `{z}` stands where anything may be named."""

# ruff: noqa: E501 - programs in other languages, one per value
from __future__ import annotations

import keyword

# What no local may be called in one of the languages, or what the programs below name for another reason.
RESERVED = frozenset([*keyword.kwlist, *keyword.softkwlist]) | frozenset(
    """
    self cls os std io util java collections requests handle open enumerate print sorted async await in of do let var new for get set if is as or fn
    mod mut ref use dyn box try map go int end and not when rescue catch after else fs axios throw const fmt string
    error cobra nil null true false this super enum case with void byte char long main static yield package import
    function return class while switch default typeof delete debugger export extends final abstract type struct trait
    where impl match move loop crate union select chan defer range fallthrough float short double boolean
    """.split()  # noqa: SIM905 - a page of words
)

LOCALS = {
    "python": """
import os
import requests

def handle({a}, {b}=None, *{c}):
    with open({a}, "rb") as {d}:
        for {e}, {c} in enumerate({d}.readlines()):
            if {e} is None:
                raise ValueError({e})
            {b} = os.path.join({a}, {c})
            print(requests.get({b}, timeout=2), [{e} for {e} in {c}])
    return lambda {d}: sorted({d}, key={d})
""",
    "javascript": """
import fs from "node:fs";
import axios from "axios";
function handle({a}, {{ {b}, x: {c} }}) {{
  for (const {d} of Object.keys({a})) {{
    if (!{d}) {{ throw new Error("no"); }}
    const [{e}] = JSON.parse(fs.readFileSync({d}));
    axios.get({e}).then(({b}) => console.log({b}, {c}));
  }}
}}
""",
    "typescript": """
import {{ readFile }} from "node:fs/promises";
async function handle({a}: string, {b}?: number): Promise<void> {{
  const {c} = await readFile({a});
  try {{ console.log(JSON.parse({c}), {b}); }} catch ({d}) {{ console.error({d}); }}
  [1, 2].map(({e}) => {e} + 1);
}}
""",
    "tsx": """
import {{ useState }} from "react";
export function Page({{ x: {a} }}: {{ x: string }}) {{
  const [{b}, {c}] = useState(null);
  for (let {d} = 0; {d} < 10; {d}++) {{ console.log({d}, {c}({b})); }}
  return <div onClick={{({e}) => {c}({e}.target.value)}}>{{{a}}}</div>;
}}
""",
    "go": """
package main
import (
	"fmt"
	"os"
	"github.com/spf13/cobra"
)
func handle({a} string, {b} ...int) error {{
	{c}, {d} := os.ReadFile({a})
	if {d} != nil {{
		return fmt.Errorf("read: %w", {d})
	}}
	for {e}, {a} := range {b} {{
		fmt.Println({e}, {a}, string({c}))
	}}
	cobra.CheckErr({d})
	return nil
}}
""",
    "rust": """
use std::collections::HashMap;
fn handle({a}: &str, mut {b}: HashMap<String, u8>) -> Result<(), std::io::Error> {{
    let {c} = std::fs::read_to_string({a})?;
    for ({d}, {e}) in {c}.lines().enumerate() {{
        if let Some({a}) = {b}.get_mut({e}) {{ println!("{{}}", {a}); }}
        {b}.insert({e}.to_string(), {d} as u8);
    }}
    let {d} = |{e}: u8| {e} + 1;
    Ok(())
}}
""",
    "java": """
package org.example;
import java.util.List;
class Handler {{
  void handle(List<String> {a}, final int {b}) throws Exception {{
    for (String {c} : {a}) {{ System.out.println({c} + {b}); }}
    try (java.io.Reader {d} = new java.io.StringReader("s")) {{ {d}.read(); }} catch (Exception {e}) {{ throw {e}; }}
    {a}.stream().map({e} -> {e}.trim()).forEach(System.out::println);
  }}
}}
""",
    "elixir": """
defmodule Handler do
  def handle({a}, %{{key: {b}}} = {c}) when is_binary({a}) do
    with {{:ok, {d}}} <- File.read({a}), do: IO.puts({d})
    Enum.map({c}, fn {{{e}, {d}}} -> Logger.info(inspect({e}), {d}) end)
    {b} |> Enum.filter(&(&1 > 1)) |> Enum.count()
  end
end
""",
}

CANARIES = {
    "python": '''
import {z}_module
from .{z}_local import {z}_imported as {z}_alias
from own import {z}Thing
import json as {z}_json
"""{z} docstring"""
{z}_CONSTANT: int = 3
class {z}Class({z}Base, metaclass={z}Meta):
    {z}_attribute = "{z}"
    def {z}_method(self, {z}_parameter, *{z}_args, {z}_default=None, **{z}_kwargs) -> {z}Type:
        """{z} docstring"""
        self.{z}_field = {z}_parameter
        self.{z}_call({z}_keyword={z}_parameter)
        if self.{z}_field is not None: {z}_CONSTANT.append(len({z}_args))
        import os
        os.{z}_patched = 1
        with open({z}_parameter, "rb") as {z}_file:  # {z} comment
            print({z}_json.dumps({z}_file.{z}_deep.read()), f"{{{z}_parameter}} {z}")
        global {z}_global
        for {z}_item, ({z}_a, {z}_b) in {z}_parameter.items(): raise {z}Error({z}_item) from {z}_a
        return lambda {z}_lambda: {z}Thing({z}_lambda).{z}_result()
@{z}_decorator
async def {z}_function(): await {z}_coroutine()
match {z}_value:
    case {z}Pattern({z}_x={z}_y): print({z}_y)
''',
    "javascript": """
import {z}Default, {{ a as {z}Named }} from "./{z}local";
const {z}Required = require("../{z}");
const {{ {z}Destructured, {z}Key: {z}Value }} = {z}Required;
class {z}Class extends {z}Base {{
  #{z}Private = 1;
  {z}Method({z}Parameter = "{z}") {{ this.{z}Field = {{ {z}Property: {z}Parameter, {z}Shorthand }}; return this.{z}Call(); }}
}}
function {z}Function({{ {z}Inner }}) {{ /* {z} */ for (const {z}Item of Object.keys({z}Inner)) {{ console.log({z}Item, `{z} ${{{z}Item}}`); }} }}
{z}Label: while (true) {{ if ({z}Inner === null) {{ break {z}Label; }} }}
const {z}Element = <{z}Component {z}Prop="{z}" onClick={{{z}Handler}}>{z} text &{z};</{z}Component>;
try {{ JSON.parse({z}Element) }} catch ({z}Caught) {{ throw new {z}Error(/{z}/g.test({z}Caught)) }}
module.exports = {{ {z}Class, {z}Exported: {z}Function }};
""",
    "typescript": """
import type {{ {z}Type }} from "@/{z}/types";
import {{ {z}Own }} from "own/{z}";
interface {z}Interface {{ {z}Property: string; {z}Method({z}Argument: number): void; }}
type {z}Alias<{z}Generic> = {{ {z}Member: {z}Generic }} | "{z}";
enum {z}Enum {{ {z}One = 1, {z}Two }}
namespace {z}Namespace {{ export const {z}Inner = 1; }}
abstract class {z}Class implements {z}Interface {{
  private readonly {z}Field: Map<string, {z}Type> = new Map();
  constructor(private {z}Injected: {z}Service) {{ super(); }}
  @{z}Decorator() get {z}Getter(): Promise<{z}Type> {{ return this.{z}Injected.{z}Call<{z}Type>("{z}" as {z}Cast); }}
}}
declare module "{z}" {{ function {z}Declared(): void; }}
""",
    "tsx": """
import {{ {z}Component }} from "~/{z}";
export const {z}Page: React.FC<{z}Props> = ({{ {z}Prop }}) => {{
  return <{z}Component {z}Attribute={{{z}Prop}} {{...{z}Rest}}><{z}Namespace.Part>{z} text</{z}Namespace.Part></{z}Component>;
}};
""",
    "go": """
package {z}package
import (
	{z}alias "fmt"
	"example.org/own/{z}"
)
type {z}Struct struct {{ {z}Field int `json:"{z}"`; {z}Embedded }}
type {z}Interface interface {{ {z}Method({z}arg int) error }}
const {z}Const = "{z}"
var {z}Var, {z}Other = 1, 2
// {z} comment
func ({z}Receiver *{z}Struct) {z}Method({z}param string, {z}rest ...int) ({z}result error) {{
	{z}value, err := {z}.{z}Call({z}Struct{{{z}Field: 1}})
	if err != nil {{ return {z}alias.Errorf("{z} %w", err) }}
	for {z}key, {z}item := range {z}rest {{ {z}Receiver.{z}field[{z}key] = {z}item }}
	switch {z}t := {z}value.(type) {{ case {z}Struct: len({z}t) }}
	go func({z}inner int) {{ {z}Function[{z}Type]({z}inner) }}(1)
{z}Label:
	for {{ break {z}Label }}
	return nil
}}
func {z}Generic[{z}T any]({z}x {z}T) {{ defer {z}x.{z}Close() }}
""",
    "rust": """
use crate::{z}_module::{{{z}Type, self as {z}_self}};
use own::{z}_item;
mod {z}_mod;
#[derive(Debug, {z}Derive)]
#[{z}_attribute({z}_key = "{z}")]
pub struct {z}Struct<'{z}_life, {z}T: {z}Bound> {{ pub {z}_field: &'{z}_life {z}T }}
enum {z}Enum {{ {z}Variant(i32), {z}Other {{ {z}_inner: u8 }} }}
trait {z}Trait {{ type {z}Assoc; fn {z}_required(&self); }}
impl<{z}T> {z}Trait for {z}Struct<{z}T> {{
    /// {z} doc
    fn {z}_method(&self, {z}_param: {z}Type) -> Result<Self, {z}Error> {{
        let {z}_local = self.{z}_field.{z}_call::<{z}Type>()?;
        match {z}_local {{ {z}Enum::{z}Variant({z}_x) => Ok({z}_x), {z}Struct {{ {z}_field, .. }} => Err({z}_field) }}
        '{z}_label: loop {{ break '{z}_label; }}
        {z}_macro!({z}_arg, "{z}");
        println!("{{}} {z}", {z}_local);
        Some({z}Struct {{ {z}_field: {z}_local }})
    }}
}}
macro_rules! {z}_rules {{ (${z}_x:expr) => {{ {z}_body(${z}_x) }} }}
const {z}_CONST: &str = "{z}"; static {z}_STATIC: u8 = 1;
""",
    "java": """
package com.{z}corp.{z}app;
import com.{z}corp.{z}app.model.{z}Model;
import static com.{z}corp.{z}app.{z}Util.{z}helper;
@{z}Annotation({z}key = "{z}")
public final class {z}Class<{z}T extends {z}Bound> extends {z}Base implements {z}Interface {{
  private static final Map<String, {z}Model> {z}_FIELD = new HashMap<>();
  enum {z}Enum {{ {z}ONE, {z}TWO(1) }}
  public {z}Class(int {z}param) {{ super({z}param); this.{z}field = {z}param; }}
  @Override public String {z}method({z}Type {z}arg) throws {z}Exception {{
    for (int {z}i = 0; {z}i < {z}arg.{z}length; {z}i++) {{ System.out.println({z}helper({z}i)); }}
    try ({z}Reader {z}r = {z}open()) {{ {z}r.{z}read(); }} catch ({z}Exception {z}e) {{ throw new IllegalStateException("{z}", {z}e); }}
    {z}label: while (true) {{ break {z}label; }}
    return {z}arg.stream().map({z}v -> {z}v.{z}call()).map({z}Class::{z}ref).toString(); // {z}
  }}
}}
record {z}Record(int {z}part) {{ }}
interface {z}Interface {{ void {z}declared(); }}
@interface {z}Marker {{ String {z}element() default "{z}"; }}
""",
    "elixir": """
defmodule Z{z}.Module do
  @moduledoc "{z}"
  use Z{z}.Web, :{z}_live
  alias Z{z}.{{One, Two}}
  alias Z{z}.Three, as: {z}Four
  import Z{z}.Import, only: [{z}_fun: 1]
  @{z}_attribute :{z}_atom
  defstruct [:{z}_field, {z}_other: 1]
  @spec {z}_spec({z}_type()) :: {{:ok, Z{z}.t()}}
  def {z}_function({z}_param, %{{{z}_key: {z}_value}} = {z}_opts) when is_binary({z}_param) do
    with {{:ok, {z}_result}} <- Z{z}.call({z}_param), do: {z}_private({z}_result)
    case {z}_value do
      {{:{z}_tag, {z}_reason}} -> Logger.error("{z} #{{inspect({z}_reason)}}")
      :{z}_atom -> {{:error, :{z}_atom}}
    end
    {z}_opts |> Enum.map(& &1.{z}_field) |> Enum.filter(&{z}_capture/1)
    %Z{z}.Struct{{{z}_opts | {z}_field: ~r/{z}/}}
    Map.put({z}_opts, :"{z} quoted", "{z}": 1)
  end
  defmacro {z}_macro({z}_ast), do: quote(do: unquote({z}_ast).{z}_call())
end
""",
}

# Two spellings of one program.
REFORMATTED = {
    "python": (
        "import os\nif x:\n    y = f(os.path.join(a, 'b'), [1, 2], c)\n    return None\n",
        'import os\n\n\n# why\nif x:  # because\n\n  y = f(\n    os.path.join(a,"b",),\n    [1,2,], c\n  );\n\n  return   None\n',
    ),
    "typescript": (
        "function f() { for (const k of Object.keys(o)) { console.log(k, [1, 2]) } }",
        "// why\nfunction f(){\n  for (const k of Object.keys(o)) {\n    /* here */ console.log(\n k, [1, 2,],\n);\n  }\n}\n",
    ),
    "go": (
        'package a\nimport "fmt"\nfunc f() { if err != nil { return fmt.Errorf("a %w", err) } }\n',
        'package a\n\nimport "fmt"\n\n// why\nfunc f() {\n\tif err != nil { // here\n\n\t\treturn fmt.Errorf("b %w", err,\n\t\t)\n\t}\n}\n',
    ),
    "rust": (
        'fn f() { for x in y.iter().enumerate() { println!("a", x); } }',
        '/// doc\nfn f() {\n    // why\n    for x in y\n        .iter()\n        .enumerate()\n    {\n        println!( "b", x );\n    }\n}\n',
    ),
    "java": (
        'class A { void f() { for (String s : x.split(",")) { System.out.println(s); } } }',
        '/** doc */\nclass A\n{\n  void f()\n  {\n    // why\n    for (String s : x.split( "," ))\n    {\n      System.out.println(s);\n    }\n  }\n}\n',
    ),
    "elixir": (
        "def f(x) do\n  Enum.map(x, fn y -> IO.inspect(y) end)\nend\n",
        "# why\ndef f(x) do\n\n  Enum.map(\n    x,\n    fn y ->\n      # here\n      IO.inspect(y)\n    end\n  )\nend\n",
    ),
}

"""Small codebases in every language, planted with words that exist nowhere else and so tell where they turn up."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.daemons import codebase
from tests.support.snippets import CANARIES

SUFFIXES = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "tsx": "tsx",
    "go": "go",
    "rust": "rs",
    "java": "java",
    "elixir": "ex",
}

# {house} is a package of the company that several repositories import, {House} the same as a type.
# {text} is a literal or a comment, {own} a name of this repository's own, {path} of a file, {key} a secret.
PROGRAMS = {
    "python": '''
"""{text} module"""
import json
import requests
import {house}
from {house}.vault import {house}_store

{own}_CONSTANT = "{text}"


@{own}_decorator("{text}")
def {own}_function({own}_parameter, *, {own}_option=b"{text}"):
    """{text} docstring"""
    {own}_variable = {house}_store.{house}_put({own}_parameter, timeout=2)  # {text} comment
    {own}_variable.{own}_attribute = f"{text} {{{own}_variable}}"
    with open("/srv/{path}/{text}.json", "rb") as {own}_file:
        {own}_loaded = json.load({own}_file)
    {house}_store.execute("SELECT {text} FROM {text}_table WHERE id = 1")
    {own}_answer = requests.get("https://{text}.example/{path}?key={key}", timeout=2)
    {house}.connect({own}_loaded["{text}"], {own}_answer.json())
    return {house}_store.{key}({own}_variable)


class {own}Class({house}.Base):
    {own}_field = {house}.{house}_field("{key}")
''',
    "javascript": """
// {text} comment
import {own}Vault from "@{house}/vault";
import {{ {house}Put }} from "{house}-client";
import {own}Local from "./{path}/{own}";
import {own}Remote from "https://{text}.example/{path}/lib.js";
export async function {own}Function({own}Parameter) {{
  /* {text} */
  const {own}Variable = await {house}Put({own}Parameter, 2);
  console.log("{text}", `{text} ${{{own}Variable}}`, /{text}/.test({own}Variable));
  {own}Remote.run(JSON.parse({own}Variable), 1);
  {own}Vault.execute("SELECT {text} FROM {text}_table", {{ {own}Key: "{key}" }});
  return {own}Vault.{key}({own}Local.read("/srv/{path}"));
}}
""",
    "typescript": """
// {text} comment
import {{ {house}Put, type {House}Type }} from "{house}-client";
import {{ {own}Thing }} from "@/{path}/{own}";
export interface {own}Interface {{ {own}Field: "{text}" | number }}
export async function {own}Function({own}Parameter: {House}Type): Promise<void> {{
  const {own}Variable: {House}Type = await {house}Put({own}Parameter, "{text}");
  console.log(`{text} ${{JSON.stringify({own}Variable)}}`, {own}Thing.{own}Field);
}}
""",
    "tsx": """
import {{ {House}Button }} from "{house}-design";
import {{ useState }} from "react";
export function {own}Page({{ {own}Prop }}: {own}Props) {{
  const [{own}State, {own}Set] = useState("{text}");
  for (const {own}Key of Object.keys({own}Prop)) {{ console.log({own}Key, "{text}"); }}
  return <{House}Button title="{text}" onClick={{() => {own}Set({own}Prop)}}>{text} text {{{own}State}}</{House}Button>;
}}
""",
    "go": """
package {own}package
// {text} comment
import (
	"fmt"
	"git.{house}.example/{house}/vault"
)
func {own}Function({own}Parameter string) error {{
	{own}Value, err := vault.Put{House}({own}Parameter, 2)
	if err != nil {{ return fmt.Errorf("{text} %w", err) }}
	fmt.Println("{text}", {own}Value, `/srv/{path}`)
	return vault.Exec{House}("SELECT {text} FROM {text}_table")
}}
""",
    "rust": """
//! {text} module
use {house}_vault::{{put_{house}, {House}Store}};
/// {text} doc
pub fn {own}_function({own}_parameter: &str) -> Result<{House}Store, {own}Error> {{
    let {own}_value = put_{house}({own}_parameter, 2)?; // {text} comment
    println!("{text} {{}}", {own}_value);
    let {own}_text = std::fs::read_to_string("/srv/{path}/{text}")?;
    Ok({House}Store::open({own}_text, "{key}"))
}}
""",
    "java": """
package com.{own}corp.app;
import com.{house}.vault.{House}Store;
/** {text} doc */
public class {own}Class {{
  private static final String {own}FIELD = "{text}";
  public String {own}method({House}Store {own}store) throws Exception {{
    System.out.println("{text}" + {own}store.toString()); // {text} comment
    return {House}Store.open("/srv/{path}", {own}FIELD).toString();
  }}
}}
""",
    "elixir": """
defmodule {House}Own{Own}.Module do
  @moduledoc "{text}"
  alias {House}.Vault
  # {text} comment
  def {own}_function({own}_parameter) do
    IO.puts("{text} #{{inspect({own}_parameter)}}")
    Vault.put({own}_parameter, "{text}", {own}_key: :{own}_atom)
    Enum.map({own}_parameter, fn {own}_x -> File.read!("/srv/{path}/" <> {own}_x) end)
  end
end
""",
}

# Manifests, deployments and schemas, which agents read beside the source code.
SURROUNDINGS = {
    "pyproject.toml": """
[project]
name = "{own}-app"
dependencies = ["{own}-sdk>=1.0", "requests @ git+https://{text}.example/{path}@{key}", "click>=8.1"]
[project.scripts]
{own} = "{own}_app.{path}:main"
""",
    "web/package.json": """
{{"name": "@{own}/web", "bin": {{"{own}": "./{path}.js"}},
  "dependencies": {{"@{own}/ui": "1.2.0", "react": "git+https://{text}.example/{path}#{key}", "vue": "^3.4.0"}}}}
""",
    "service/go.mod": """
module {own}.example/{path}

require {own}.example/lib v1.0.0 // {text}
require github.com/spf13/cobra v1.8.0
""",
    "core/Cargo.toml": """
[package]
name = "{own}"
version = "1.0.0"
[dependencies]
{own}_core = {{ path = "../{path}" }}
serde = {{ git = "https://{text}.example/{path}", branch = "{key}" }}
""",
    "compose.yaml": """
services:
  {own}: {{image: "{own}.example/{text}:1", environment: {{TOKEN: {key}}}}}
  db: {{image: "postgres:17"}}
""",
    "migrations/0001_start.sql": """
-- {text}
CREATE TYPE {own}_kind AS ENUM ('{text}');
CREATE TABLE {own}_orders (
    {own}_id bigint PRIMARY KEY, {own}_note text NOT NULL DEFAULT '{text}', kind {own}_kind,
    {own}_owner bigint REFERENCES {own}_people, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL
);
CREATE INDEX {own}_by_owner ON {own}_orders ({own}_owner);
""",
    "store/{path}_models.py": """
from django.db import models
from sqlalchemy import Column, Integer, String, Table


class {own}Order(models.Model):
    {own}_note = models.TextField(default="{text}", db_column="{own}_column")

    class Meta:
        db_table = "{own}_orders"
""",
    "schema.prisma": """
model {own}Order {{
  id Int @id
  {own}Note String @default("{text}")
}}
""",
}

# Names a repository gave to what it hung on the objects of a package everybody knows.
ON_PUBLIC_OBJECTS = """
import pytest
import sqlalchemy as sa
from django.conf import settings
from flask import request


@pytest.mark.{own}_mark
def fetch(rows):
    rows.append(settings.{own}_ADDRESS)
    rows.extend(sa.func.{own}_procedure(rows))
    return request.{own}_user
"""


def word() -> str:
    """A word of letters that no vocabulary and no other test has."""
    return "zq" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))


def aws_key() -> str:
    """What looks like the id of an access key, made up."""
    return "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


@dataclass(frozen=True)
class Canaries:
    """The words planted into one codebase; `house` may be planted into others as well."""

    house: str
    own: str = field(default_factory=word)
    text: str = field(default_factory=word)
    path: str = field(default_factory=word)
    key: str = field(default_factory=aws_key)

    @property
    def never(self) -> tuple[str, ...]:
        """What must not leave the machine whatever the settings: literals, comments, paths, secrets."""
        return self.text, self.path, self.key

    def plant(self, directory: Path) -> Path:
        """Write a codebase below a directory, everything in two files, as a pattern is what is in two."""
        files = {"Makefile": f"{self.text}:\n", f"{self.path}_notes.md": self.text}
        for language, suffix in SUFFIXES.items():
            for place in ("one", "two"):
                files[f"{self.path}_{place}/{self.path}_{language}.{suffix}"] = self._program(language)
        for place, text in SURROUNDINGS.items():
            files[place.format(path=self.path)] = self._filled(text)
        return codebase(directory / f"{self.path}_root", files)

    def plant_more(self, workspace: Path) -> None:
        """Add programs that name every kind of thing each language has names for."""
        for language, suffix in SUFFIXES.items():
            source = CANARIES[language].format(z=self.own)
            codebase(workspace, {f"{self.path}_{place}.{suffix}": source for place in ("three", "four")})

    def _program(self, language: str) -> str:
        return self._filled(PROGRAMS[language])

    def _filled(self, text: str) -> str:
        names = {"house": self.house, "own": self.own, "text": self.text, "path": self.path, "key": self.key}
        types = {"House": self.house.capitalize(), "Own": self.own.capitalize()}
        return text.format(**names, **types)

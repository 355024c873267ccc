"""Gradle: the plain forms of `build.gradle`, `build.gradle.kts` and `settings.gradle`, and version catalogs."""

from __future__ import annotations

import re

from instance.learning.technology.dependency import INHERITED, Manifest, Scope
from instance.learning.technology.documents import read_toml, table, text
from instance.learning.technology.maven import ECOSYSTEM

_COMMENT = re.compile(r"(?<!:)//[^\n]*|/\*(?:.*?\*/|.*\Z)", re.DOTALL)
_CONFIGURATION = r"\b(?!exclude|force|substitute|because|using|version)(\w+)"
_PLATFORM = r"(?:\s*\(\s*|\s+)(?:(?:enforcedPlatform|platform)\s*\(\s*)?"
_STRING = re.compile(_CONFIGURATION + _PLATFORM + r"[\"']([\w.-]+):([\w.-]+)(?::([^\"':@]*))?[^\"':]*[\"']")
_MAP = re.compile(
    _CONFIGURATION + r"[\s(]+group\s*[:=]\s*[\"']([\w.-]+)[\"']\s*,\s*name\s*[:=]\s*[\"']([\w.-]+)[\"']"
    r"(?:\s*,\s*version\s*[:=]\s*[\"']([^\"']*)[\"'])?"
)
_CATALOG = re.compile(_CONFIGURATION + _PLATFORM + r"(libs\.[\w.]+)")
_GROUP = re.compile(r"^[ \t]*group[ \t]*=?[ \t]*[\"']?([a-z][\w-]*(?:\.[\w-]+)+)[\"']?[ \t]*$", re.MULTILINE)
_PLUGINS = re.compile(r"\bplugins\s*\{([^}]{0,1000})\}")
_BARE_PLUGIN = re.compile(r"^[ \t]*`?([a-z][\w-]*)`?[ \t]*$", re.MULTILINE)
_PLUGIN = re.compile(r"\bid[\s(]+[\"']([\w.-]+)[\"']\)?(?:\s+version\s+[\"']([^\"']+)[\"'])?")
_APPLY = re.compile(r"\bapply[\s(]+plugin\s*[:=]\s*[\"']([\w.-]+)[\"']")
_VARIABLE = re.compile(r"[\$\"']")
_PROVIDED = frozenset({"compileOnly", "provided", "providedCompile"})
_BUILD = frozenset({"classpath", "annotationProcessor", "kapt", "ksp"})


def read_build_gradle(path: str, source: str) -> Manifest:
    """Read dependencies written as literals or by catalog, and plugins under the artifact Gradle finds them by."""
    manifest = Manifest(ECOSYSTEM, path)
    code = _COMMENT.sub("", source)
    for configuration, group, name, version in (*_STRING.findall(code), *_MAP.findall(code)):
        spec = "" if _VARIABLE.search(version) else version
        manifest.add(f"{group}:{name}", spec or INHERITED, _scope(configuration))
    for configuration, alias in _CATALOG.findall(code):
        manifest.add(alias, INHERITED, _scope(configuration))
    for group in _GROUP.findall(source):
        manifest.call_own(f"{group}:")
    bare = [name for block in _PLUGINS.findall(code) for name in _BARE_PLUGIN.findall(block)]
    manifest.settings.update(f"gradle:{name}" for name in bare)
    for plugin, version in (*_PLUGIN.findall(code), *((name, "") for name in _APPLY.findall(code))):
        if "." in plugin:
            manifest.add(f"{plugin}:{plugin}.gradle.plugin", version, Scope.BUILD)
        else:
            manifest.settings.add(f"gradle:{plugin}")
    return manifest


def _scope(configuration: str) -> Scope:
    if configuration in _BUILD:
        return Scope.BUILD
    if "test" in configuration.lower() or configuration.startswith("debug"):
        return Scope.DEV
    return Scope.PEER if configuration in _PROVIDED else Scope.RUNTIME


def read_properties(path: str, source: str) -> Manifest:
    """Read the group a build gives to all it publishes."""
    manifest = Manifest(ECOSYSTEM, path)
    for group in _GROUP.findall(source):
        manifest.call_own(f"{group}:")
    return manifest


def read_version_catalog(path: str, source: str) -> Manifest:
    """Read `libs.versions.toml`: nothing is a dependency by it, everything is on offer as `libs.its.name`."""
    document = read_toml(source)
    manifest = Manifest(ECOSYSTEM, path)
    versions = table(document.get("versions"))
    for alias, value in table(document.get("libraries")).items():
        entry = table(value)
        coordinates = text(value) or text(entry.get("module")) or f"{entry.get('group')}:{entry.get('name')}"
        version = entry.get("version")
        known = text(version) or text(versions.get(text(table(version).get("ref"))))
        accessor = re.sub(r"[-_.]", ".", alias)
        manifest.offers[f"libs.{accessor}"] = f"{coordinates}:{known}" if coordinates.count(":") == 1 else coordinates
    return manifest

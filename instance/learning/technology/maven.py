"""Maven: `pom.xml` with properties, parents and managed versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from instance.learning.technology.dependency import INHERITED, SCOPE_OF, Manifest, Scope
from instance.learning.technology.documents import UnreadableError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ECOSYSTEM: Final = "maven"
_SCOPES = {"test": Scope.DEV, "provided": Scope.PEER, "system": Scope.PEER, "import": Scope.BUILD}
_NAMESPACE = re.compile(r"\{[^}]*\}")
_PLACEHOLDER = re.compile(r"\$\{([\w.-]+)\}")
_PLUGIN_GROUP = "org.apache.maven.plugins"
_SUBSTITUTIONS_MAX = 5


def read_pom(path: str, source: str) -> Manifest:
    """Read a project: its dependencies, the plugins that build it, its parent, and what its children inherit."""
    project = _parse(source)
    properties = _properties(project)
    manifest = Manifest(ECOSYSTEM, path)
    parent = _child(project, "parent")
    group = _value(project, "groupId", properties) or _value(parent, "groupId", properties)
    manifest.call_own(f"{group}:{_value(project, 'artifactId', properties)}")
    if parent is not None:
        manifest.add(_coordinates(parent, properties), _value(parent, "version", properties), Scope.BUILD)
    for part in (project, *_below(project, "profiles", "profile")):
        for dependency in _below(part, "dependencies", "dependency"):
            _add(manifest, dependency, properties)
        for section in ("build", "reporting"):
            for plugin in _below(_child(part, section), "plugins", "plugin"):
                name = _coordinates(plugin, properties, _PLUGIN_GROUP)
                manifest.add(name, _value(plugin, "version", properties) or INHERITED, Scope.BUILD)
    _offer(manifest, project, properties)
    return manifest


def _parse(source: str) -> Element:
    from defusedxml import ElementTree  # noqa: PLC0415 - only Maven writes XML; nobody else pays for it

    try:
        root: Element = ElementTree.fromstring(source.encode("utf-8", "replace"))
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise UnreadableError("not XML, or XML with entities") from error
    if _tag(root) != "project":
        raise UnreadableError("not a Maven project")
    return root


def _offer(manifest: Manifest, project: Element, properties: Mapping[str, str]) -> None:
    """Offer the versions this project manages and its properties to the projects below it."""
    managed = _below(_child(project, "dependencyManagement"), "dependencies", "dependency")
    plugins = _below(_child(_child(project, "build"), "pluginManagement"), "plugins", "plugin")
    for entry, group in (*((entry, "") for entry in managed), *((entry, _PLUGIN_GROUP) for entry in plugins)):
        name, scope = _coordinates(entry, properties, group), _value(entry, "scope", properties)
        manifest.offers[name] = _value(entry, "version", properties)
        if scope == "import":
            _add(manifest, entry, properties)
        elif scope in _SCOPES:
            manifest.offers[SCOPE_OF + name] = _SCOPES[scope]
    manifest.offers.update({f"${{{name}}}": value for name, value in properties.items()})


def _add(manifest: Manifest, dependency: Element, properties: Mapping[str, str]) -> None:
    scope = _SCOPES.get(_value(dependency, "scope", properties), Scope.RUNTIME)
    if _value(dependency, "optional", properties) == "true" and scope is Scope.RUNTIME:
        scope = Scope.OPTIONAL
    spec = _value(dependency, "version", properties) or INHERITED
    manifest.add(_coordinates(dependency, properties), spec, scope)


def _properties(project: Element) -> dict[str, str]:
    """Return what `${...}` may stand for: the project's properties and its own and its parent's coordinates."""
    found = {_tag(entry): _text(entry) for entry in _child(project, "properties") or ()}
    parent = _child(project, "parent")
    for name in ("groupId", "version"):
        inherited = _text(_child(parent, name))
        found[f"project.parent.{name}"] = inherited
        found[f"project.{name}"] = found[f"pom.{name}"] = _text(_child(project, name)) or inherited
    return found


def _coordinates(element: Element, properties: Mapping[str, str], group: str = "") -> str:
    return f"{_value(element, 'groupId', properties) or group}:{_value(element, 'artifactId', properties)}"


def _value(element: Element | None, name: str, properties: Mapping[str, str]) -> str:
    """Return the text of a child with the properties known here put in."""
    value = _text(_child(element, name))
    for _ in range(_SUBSTITUTIONS_MAX):
        filled = _PLACEHOLDER.sub(lambda match: properties.get(match[1], match[0])[:200], value)[:1000]
        if filled == value:
            break
        value = filled
    return value


def _below(element: Element | None, *names: str) -> Iterator[Element]:
    *outer, last = names
    for name in outer:
        element = _child(element, name)
    for child in element if element is not None else ():
        if _tag(child) == last:
            yield child


def _child(element: Element | None, name: str) -> Element | None:
    return next((child for child in element if _tag(child) == name), None) if element is not None else None


def _tag(element: Element) -> str:
    return _NAMESPACE.sub("", element.tag) if isinstance(element.tag, str) else ""


def _text(element: Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""

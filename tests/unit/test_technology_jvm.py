"""Manifests of Maven and Gradle."""

from __future__ import annotations

from textwrap import dedent

import pytest

from instance.learning.technology.dependency import Scope
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.manifests import read_manifest
from instance.learning.technology.merging import merged

PARENT = """
    <project xmlns="http://maven.apache.org/POM/4.0.0">
      <parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId>
        <version>3.2.0</version></parent>
      <groupId>org.example</groupId><artifactId>shop</artifactId><version>1.0</version>
      <properties><junit.version>5.10.1</junit.version><v>${junit.version}</v></properties>
      <dependencyManagement><dependencies>
        <dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId><version>${v}</version>
          <scope>test</scope></dependency>
        <dependency><groupId>com.example</groupId><artifactId>bom</artifactId><version>7</version><type>pom</type>
          <scope>import</scope></dependency>
      </dependencies></dependencyManagement>
      <build><plugins><plugin><artifactId>maven-checkstyle-plugin</artifactId><version>3.3.1</version></plugin></plugins>
      </build>
      <reporting><plugins><plugin><artifactId>maven-pmd-plugin</artifactId></plugin></plugins></reporting>
    </project>
"""
CHILD = """
    <project>
      <parent><groupId>org.example</groupId><artifactId>shop</artifactId><version>1.0</version></parent>
      <artifactId>shop-web</artifactId>
      <dependencies>
        <dependency><groupId>${project.groupId}</groupId><artifactId>shop</artifactId></dependency>
        <dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId></dependency>
        <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId><version>2.0.9</version></dependency>
        <dependency><groupId>jakarta.servlet</groupId><artifactId>jakarta.servlet-api</artifactId><version>${x}</version>
          <scope>provided</scope></dependency>
        <dependency><groupId>com.acme</groupId><artifactId>extra</artifactId><version>1</version>
          <optional>true</optional></dependency>
      </dependencies>
      <profiles><profile><dependencies>
        <dependency><groupId>org.h2</groupId><artifactId>h2</artifactId><version>2</version></dependency>
      </dependencies></profile></profiles>
    </project>
"""


def _read(*files: tuple[str, str]) -> dict[str, tuple[str, Scope]]:
    found = merged([read_manifest(path, dedent(source).strip()) for path, source in files])
    return {each.name: (each.spec, each.scope) for each in found}


def test_maven_projects_inherit_versions_and_scopes_from_those_above() -> None:
    assert _read(("pom.xml", PARENT), ("web/pom.xml", CHILD)) == {
        "org.springframework.boot:spring-boot-starter-parent": ("3.2.0", Scope.BUILD),
        "com.example:bom": ("7", Scope.BUILD),
        "org.apache.maven.plugins:maven-checkstyle-plugin": ("3.3.1", Scope.BUILD),
        "org.apache.maven.plugins:maven-pmd-plugin": ("", Scope.BUILD),
        "org.junit.jupiter:junit-jupiter": ("5.10.1", Scope.DEV),
        "org.slf4j:slf4j-api": ("2.0.9", Scope.RUNTIME),
        "jakarta.servlet:jakarta.servlet-api": ("", Scope.PEER),
        "com.acme:extra": ("1", Scope.OPTIONAL),
        "org.h2:h2": ("2", Scope.RUNTIME),
    }


BOMB = (
    '<!DOCTYPE lol [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<project><artifactId>&b;</artifactId></project>"
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]><project><artifactId>&x;</artifactId></project>'


@pytest.mark.parametrize("source", [BOMB, OUTSIDE, "<project>", "<html/>", ""])
def test_a_pom_with_entities_or_none_at_all_is_unreadable(source: str) -> None:
    with pytest.raises(UnreadableError):
        read_manifest("pom.xml", source)


def test_a_property_that_grows_without_end_is_cut() -> None:
    source = "<project><properties><a>${a}${a}</a></properties><artifactId>${a}</artifactId></project>"
    assert all(len(name) < 3000 for name in read_manifest("pom.xml", source).own)


GRADLE = """
    plugins {
        id("org.springframework.boot") version "3.2.0"
        checkstyle
    }
    apply plugin: 'jacoco'
    group = 'org.example'
    dependencies {
        implementation 'com.google.guava:guava:33.0.0-jre'
        api(platform("io.netty:netty-bom:4.1.100.Final"))
        compileOnly group: 'javax.servlet', name: 'servlet-api', version: '2.5'
        testImplementation("org.mockito:mockito-core:$mockitoVersion") { exclude group: 'a', module: 'b' }
        annotationProcessor "org.projectlombok:lombok:1.18.30"
        shadowed(libs.picocli)
        implementation project(':core')
        implementation 'org.example:other:1.0'
        // implementation 'com.example:commented:1.0'
    }
"""
CATALOG = '[versions]\npico = "4.7.5"\n[libraries]\npicocli = { module = "info.picocli:picocli", version.ref = "pico" }'


def test_gradle_is_read_in_its_plain_forms_and_by_catalog() -> None:
    assert _read(("shop.gradle", GRADLE), ("gradle/libs.versions.toml", CATALOG)) == {
        "org.springframework.boot:org.springframework.boot.gradle.plugin": ("3.2.0", Scope.BUILD),
        "com.google.guava:guava": ("33.0.0-jre", Scope.RUNTIME),
        "io.netty:netty-bom": ("4.1.100.Final", Scope.RUNTIME),
        "javax.servlet:servlet-api": ("2.5", Scope.PEER),
        "org.mockito:mockito-core": ("", Scope.DEV),
        "org.projectlombok:lombok": ("1.18.30", Scope.BUILD),
        "info.picocli:picocli": ("4.7.5", Scope.RUNTIME),
    }
    assert {"gradle:checkstyle", "gradle:jacoco"} <= read_manifest("shop.gradle", dedent(GRADLE)).settings

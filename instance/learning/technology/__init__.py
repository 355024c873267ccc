"""Technologies: the packages a repository depends on, and the frameworks and tools it is built with. Pure.

`technologies` (in `detect`) does it all; `manifests.is_manifest` says which files it wants to read, `usage.Usage`
counts what files import, `purl.report`, `sbom.write_sbom` and `sbom.read_sbom` speak to other tools.
"""

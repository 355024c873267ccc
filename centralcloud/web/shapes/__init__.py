"""Every request and answer of the HTTP API, as msgspec structs; `centralcloud.web.api` says what is found where.

What holds everywhere: times are RFC 3339 with a zone, by the database's clock; durations end in `_seconds` or `_ms`;
money is in US cents, as the results are priced; shares are 0 to 1. Null means that nothing is known, an empty list
that there is nothing; no number stands for "no data". Fields are only ever added.

A list is `{"items": [...], "next": cursor|null}`: ask again with `after=<next>` for what follows.
Every request has `tenant`, by default "default". Requests that may name several words take them comma-separated.
"""

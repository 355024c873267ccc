"""From the type names of databases and libraries to the few public ones; sizes and precisions do not matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_NOT_LETTERS = re.compile(r"[^a-z0-9]")
_NAMES = {
    "integer": """
        int integer int2 int4 smallint mediumint tinyint serial smallserial serial4 serial2 int16 int32 i8 i16 i32 u8
        u16 u32 uint8 uint16 uint32 short byte autoincrement smallinteger autofield
        smallautofield integerfield smallintegerfield positiveintegerfield positivesmallintegerfield year uint
        mediuminteger tinyinteger smallserialtype
        """,
    "bigint": """
        bigint int8 bigserial serial8 biginteger bigautofield bigintegerfield positivebigintegerfield i64 u64 int64
        uint64 long isize usize
        """,
    "text": """
        text varchar varchar2 nvarchar nvarchar2 char nchar character charactervarying bpchar citext name string
        mediumtext longtext tinytext clob ntext unicode unicodetext str charfield textfield emailfield slugfield
        urlfield filepathfield genericipaddressfield ipaddressfield filefield imagefield commaseparatedintegerfield
        simplearray ulid cuid cuid2 nanoid stringcollate characterlargeobject nationalcharactervarying
        """,
    "boolean": "boolean bool bit1 booleanfield nullbooleanfield tinyint1",
    "numeric": "numeric decimal dec money number decimalfield smallmoney bigdecimal fixed decimal128 currency",
    "float": "real float double doubleprecision float4 float8 float32 float64 f32 f64 floatfield doubletype",
    "timestamp": """
        timestamp timestamptz datetime datetime2 datetimeoffset smalldatetime timestampwithtimezone datetimefield
        timestampwithouttimezone timetime naivedatetime naivedatetimeusec utcdatetime utcdatetimeusec instant
        localdatetime offsetdatetime zoneddatetime timestamplocaltimezone datetimeutc primitivedatetime
        offsetdatetimetime systemtime timestamptimezone datetimewithtimezone gormdeletedat
        """,
    "date": "date datefield localdate naivedate dateonly",
    "json": """
        json jsonb jsonfield map object simplejson embeddedjson dict hstore hstorefield mutabledict jsonvalue value
        jsonbinary
        """,
    "uuid": "uuid binaryid uuidfield guid uniqueidentifier uuidtype",
    "bytes": """
        bytea blob binary varbinary tinyblob mediumblob longblob largebinary bytes binaryfield bytearray image raw
        varbit longvarbinary
        """,
    "array": "array arrayfield list set vec intarray textarray",
}
PUBLIC: Mapping[str, str] = MappingProxyType({word: kind for kind, text in _NAMES.items() for word in text.split()})


def public_type(name: str, special: Mapping[str, str] = PUBLIC) -> str:
    """Return the public type a name stands for ("other": none); `special` is asked first, for one language's own."""
    word = _NOT_LETTERS.sub("", name.lower())
    return special.get(word) or PUBLIC.get(word, "other")


def is_public_type(name: str) -> bool:
    """Tell whether the name is that of a public type."""
    return _NOT_LETTERS.sub("", name.lower()) in PUBLIC

"""The languages an instance understands, each a handful of lines of data about its tree-sitter grammar."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import PurePosixPath
from types import MappingProxyType


class Role(IntEnum):
    """What a token is in its statement; decides whether its text may be seen in a template."""

    MARK = 0  # keyword, operator or bracket: the text stays
    NAME = 1  # reference to a variable, function or type
    FIELD = 2  # whatever follows a dot (or ::)
    DEFINITION = 3  # the name a function, type or method is given
    BINDING = 4  # a variable or parameter where it is bound
    LABEL = 5  # keyword argument, object key, struct field
    STRING = 6
    NUMBER = 7
    ATOM = 8  # Elixir's :atom and key:
    MODULE = 9  # Elixir's dotted Module.Name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _roles(role: Role, text: str) -> dict[str, Role]:
    return dict.fromkeys(text.split(), role)


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its files and the node kinds of its grammar that matter to mining.

    `roles` maps `kind.field` (or `kind.*` for every child) to the role of the names directly there; a role passes
    down through `patterns` only. `containers` hold statements; `blocks` are folded but not searched.
    """

    name: str
    grammar: str
    extensions: tuple[str, ...]
    containers: frozenset[str]
    names: dict[str, Role]
    roles: dict[str, Role]
    strings: frozenset[str]
    numbers: frozenset[str]
    entry: str = "language"
    family: str = ""
    blocks: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    patterns: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    not_statements: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    receivers: frozenset[str] = field(default_factory=frozenset)
    indented: bool = False
    optional_semicolons: bool = False
    capitals_are_constants: bool = False
    calls_are_separate: bool = False

    @property
    def fingerprint_name(self) -> str:
        """The name fingerprints are made with: dialects of one language share it."""
        return self.family or self.name


PYTHON = Language(
    name="python",
    grammar="tree_sitter_python",
    extensions=(".py", ".pyi"),
    containers=_words("module block"),
    names={"identifier": Role.NAME},
    roles={
        **_roles(Role.DEFINITION, "function_definition.name class_definition.name type_alias_statement.left"),
        **_roles(Role.LABEL, "keyword_argument.name"),
        **_roles(
            Role.BINDING,
            "assignment.left augmented_assignment.left for_statement.left for_in_clause.left as_pattern.alias "
            "named_expression.name parameters.* lambda_parameters.* typed_parameter.* default_parameter.name "
            "typed_default_parameter.name case_pattern.* keyword_pattern.* global_statement.* nonlocal_statement.*",
        ),
    },
    patterns=_words(
        "pattern_list tuple_pattern list_pattern list_splat_pattern dictionary_splat_pattern as_pattern_target tuple"
        " dotted_name splat_pattern"
    ),
    strings=_words("string concatenated_string"),
    numbers=_words("integer float"),
    scopes=_words(
        "function_definition lambda list_comprehension set_comprehension dictionary_comprehension generator_expression"
    ),
    classes=_words("class_definition"),
    imports=_words("import_statement import_from_statement future_import_statement"),
    receivers=_words("self cls"),
    indented=True,
    optional_semicolons=True,
)

_SCRIPT_NAMES = {
    **_roles(Role.NAME, "identifier type_identifier shorthand_property_identifier"),
    **_roles(Role.LABEL, "property_identifier private_property_identifier statement_identifier"),
    "shorthand_property_identifier_pattern": Role.BINDING,
}
_SCRIPT_ROLES = {
    **_roles(
        Role.DEFINITION,
        "function_declaration.name generator_function_declaration.name function_expression.name class_declaration.name"
        " class.name method_definition.name interface_declaration.name type_alias_declaration.name"
        " enum_declaration.name method_signature.name abstract_method_signature.name function_signature.name"
        " abstract_class_declaration.name internal_module.name",
    ),
    **_roles(
        Role.BINDING,
        "variable_declarator.name formal_parameters.* required_parameter.pattern optional_parameter.pattern"
        " arrow_function.parameter catch_clause.parameter for_in_statement.left type_parameter.name"
        " pair_pattern.value assignment_pattern.left object_assignment_pattern.left",
    ),
}
_SCRIPT_PATTERNS = _words("object_pattern array_pattern rest_pattern")
_SCRIPT_SCOPES = _words(
    "function_declaration generator_function_declaration function_expression arrow_function method_definition"
    " generator_function"
)

JAVASCRIPT = Language(
    name="javascript",
    grammar="tree_sitter_javascript",
    extensions=(".js", ".mjs", ".cjs", ".jsx"),
    containers=_words("program statement_block class_body switch_case switch_default"),
    names=_SCRIPT_NAMES,
    roles=_SCRIPT_ROLES,
    patterns=_SCRIPT_PATTERNS,
    strings=_words("string template_string regex jsx_text"),
    numbers=_words("number"),
    scopes=_SCRIPT_SCOPES,
    classes=_words("class_body"),
    imports=_words("import_statement"),
    comments=_words("comment html_comment hash_bang_line"),
    receivers=_words("this"),
    optional_semicolons=True,
)

_TYPESCRIPT_CONTAINERS = JAVASCRIPT.containers | _words("interface_body")

TYPESCRIPT = Language(
    name="typescript",
    grammar="tree_sitter_typescript",
    entry="language_typescript",
    extensions=(".ts", ".mts", ".cts"),
    containers=_TYPESCRIPT_CONTAINERS,
    blocks=_words("enum_body"),
    names=_SCRIPT_NAMES,
    roles=_SCRIPT_ROLES,
    patterns=_SCRIPT_PATTERNS,
    strings=JAVASCRIPT.strings | _words("template_literal_type"),
    numbers=_words("number"),
    scopes=_SCRIPT_SCOPES,
    classes=_words("class_body interface_body"),
    imports=_words("import_statement"),
    comments=JAVASCRIPT.comments,
    receivers=_words("this"),
    optional_semicolons=True,
)

TSX = Language(
    name="tsx",
    family="typescript",
    grammar="tree_sitter_typescript",
    entry="language_tsx",
    extensions=(".tsx",),
    containers=_TYPESCRIPT_CONTAINERS,
    blocks=TYPESCRIPT.blocks,
    names=_SCRIPT_NAMES,
    roles=_SCRIPT_ROLES,
    patterns=_SCRIPT_PATTERNS,
    strings=TYPESCRIPT.strings,
    numbers=_words("number"),
    scopes=_SCRIPT_SCOPES,
    classes=TYPESCRIPT.classes,
    imports=_words("import_statement"),
    comments=JAVASCRIPT.comments,
    receivers=_words("this"),
    optional_semicolons=True,
)

GO = Language(
    name="go",
    grammar="tree_sitter_go",
    extensions=(".go",),
    containers=_words("source_file statement_list field_declaration_list"),
    blocks=_words("block"),
    names={
        **_roles(Role.NAME, "identifier type_identifier package_identifier"),
        **_roles(Role.LABEL, "field_identifier label_name"),
    },
    roles={
        **_roles(
            Role.DEFINITION,
            "function_declaration.name method_declaration.name type_spec.name type_alias.name method_elem.name",
        ),
        **_roles(Role.LABEL, "keyed_element.key field_declaration.name"),
        **_roles(
            Role.BINDING,
            "short_var_declaration.left range_clause.left receive_statement.left parameter_declaration.name"
            " variadic_parameter_declaration.name var_spec.name const_spec.name type_parameter_declaration.name"
            " type_switch_statement.alias",
        ),
    },
    patterns=_words("expression_list literal_element"),
    strings=_words("interpreted_string_literal raw_string_literal rune_literal"),
    numbers=_words("int_literal float_literal imaginary_literal"),
    scopes=_words("function_declaration method_declaration func_literal"),
    imports=_words("import_declaration package_clause"),
    dropped=frozenset({"\n"}),
    optional_semicolons=True,
)

RUST = Language(
    name="rust",
    grammar="tree_sitter_rust",
    extensions=(".rs",),
    containers=_words("source_file block declaration_list match_block field_declaration_list"),
    blocks=_words("enum_variant_list"),
    names={
        **_roles(Role.NAME, "identifier type_identifier primitive_type"),
        **_roles(Role.LABEL, "field_identifier"),
        "shorthand_field_identifier": Role.BINDING,
    },
    roles={
        **_roles(
            Role.DEFINITION,
            "function_item.name function_signature_item.name struct_item.name enum_item.name trait_item.name"
            " mod_item.name const_item.name static_item.name type_item.name union_item.name enum_variant.name"
            " associated_type.name",
        ),
        **_roles(
            Role.BINDING,
            "let_declaration.pattern parameter.pattern closure_parameters.* for_expression.pattern"
            " let_condition.pattern match_arm.pattern field_pattern.pattern",
        ),
        **_roles(Role.NAME, "tuple_struct_pattern.type struct_pattern.type match_pattern.condition"),
        **_roles(Role.LABEL, "field_initializer.field"),
    },
    patterns=_words(
        "tuple_pattern tuple_struct_pattern ref_pattern mut_pattern captured_pattern match_pattern or_pattern"
        " struct_pattern slice_pattern reference_pattern remaining_field_pattern"
    ),
    strings=_words("string_literal raw_string_literal char_literal"),
    numbers=_words("integer_literal float_literal"),
    scopes=_words("function_item closure_expression"),
    imports=_words("use_declaration extern_crate_declaration"),
    comments=_words("line_comment block_comment"),
    skipped=_words("macro_definition"),
    receivers=_words("self"),
    capitals_are_constants=True,
)

JAVA = Language(
    name="java",
    grammar="tree_sitter_java",
    extensions=(".java",),
    containers=_words(
        "program block class_body interface_body constructor_body enum_body_declarations annotation_type_body"
        " switch_block_statement_group"
    ),
    blocks=_words("enum_body switch_block"),
    names=_roles(Role.NAME, "identifier type_identifier"),
    roles={
        **_roles(
            Role.DEFINITION,
            "method_declaration.name class_declaration.name interface_declaration.name enum_declaration.name"
            " record_declaration.name constructor_declaration.name annotation_type_declaration.name"
            " enum_constant.name compact_constructor_declaration.name",
        ),
        **_roles(
            Role.BINDING,
            "variable_declarator.name formal_parameter.name catch_formal_parameter.name resource.name"
            " enhanced_for_statement.name lambda_expression.parameters inferred_parameters.* type_parameter.*"
            " instanceof_expression.name type_pattern.*",
        ),
        **_roles(Role.LABEL, "element_value_pair.key labeled_statement.*"),
    },
    strings=_words("string_literal character_literal"),
    numbers=_words(
        "decimal_integer_literal hex_integer_literal octal_integer_literal binary_integer_literal"
        " decimal_floating_point_literal hex_floating_point_literal"
    ),
    scopes=_words("method_declaration constructor_declaration lambda_expression"),
    classes=_words("class_body interface_body enum_body_declarations"),
    imports=_words("import_declaration package_declaration"),
    comments=_words("line_comment block_comment"),
    not_statements=_words("switch_label"),
    receivers=_words("this"),
)

ELIXIR = Language(
    name="elixir",
    grammar="tree_sitter_elixir",
    extensions=(".ex", ".exs"),
    containers=_words("source do_block else_block after_block rescue_block catch_block body"),
    names={"identifier": Role.BINDING, "alias": Role.MODULE, "atom": Role.ATOM, "keyword": Role.ATOM},
    roles={"call.target": Role.NAME},
    strings=_words("string charlist sigil quoted_atom quoted_keyword"),
    numbers=_words("integer float char"),
    calls_are_separate=True,
)

LANGUAGES = MappingProxyType(
    {
        language.name: language
        for language in (PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, GO, RUST, JAVA, ELIXIR)
    }
)
_BY_EXTENSION = {extension: language for language in LANGUAGES.values() for extension in language.extensions}


def language_of(path: str) -> Language | None:
    """Return the language a file's extension stands for; None when the instance does not know it."""
    return _BY_EXTENSION.get(PurePosixPath(path).suffix.lower())

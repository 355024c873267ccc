"""The languages an instance understands, each a handful of lines of data about its tree-sitter grammar."""

from __future__ import annotations

from pathlib import PurePosixPath
from types import MappingProxyType

from instance.analysis.language import Language, Role, defining, roles, words

PYTHON = Language(
    name="python",
    grammar="tree_sitter_python",
    extensions=(".py", ".pyi"),
    containers=words("module block"),
    names={"identifier": Role.NAME},
    roles={
        **roles(Role.DEFINITION, "function_definition.name class_definition.name type_alias_statement.left"),
        **roles(Role.LABEL, "keyword_argument.name"),
        **roles(
            Role.BINDING,
            "assignment.left augmented_assignment.left for_statement.left for_in_clause.left as_pattern.alias "
            "named_expression.name parameters.* lambda_parameters.* typed_parameter.* default_parameter.name "
            "typed_default_parameter.name case_pattern.* keyword_pattern.* global_statement.* nonlocal_statement.*",
        ),
    },
    patterns=words(
        "pattern_list tuple_pattern list_pattern list_splat_pattern dictionary_splat_pattern as_pattern_target tuple"
        " dotted_name splat_pattern"
    ),
    strings=words("string concatenated_string"),
    numbers=words("integer float"),
    comments=words("comment line_continuation"),
    scopes=words(
        "function_definition lambda list_comprehension set_comprehension dictionary_comprehension generator_expression"
    ),
    classes=words("class_definition"),
    imports=words("import_statement import_from_statement future_import_statement"),
    definitions=defining("function_definition", "class_definition"),
    receivers=words("self cls"),
    indented=True,
    optional_semicolons=True,
)

_SCRIPT_NAMES = {
    **roles(Role.NAME, "identifier type_identifier shorthand_property_identifier"),
    **roles(Role.LABEL, "property_identifier private_property_identifier statement_identifier"),
    "shorthand_property_identifier_pattern": Role.BINDING,
}
_SCRIPT_ROLES = {
    **roles(
        Role.DEFINITION,
        "function_declaration.name generator_function_declaration.name function_expression.name class_declaration.name"
        " class.name method_definition.name interface_declaration.name type_alias_declaration.name"
        " enum_declaration.name method_signature.name abstract_method_signature.name function_signature.name"
        " abstract_class_declaration.name internal_module.name",
    ),
    **roles(
        Role.BINDING,
        "variable_declarator.name formal_parameters.* required_parameter.pattern optional_parameter.pattern"
        " arrow_function.parameter catch_clause.parameter for_in_statement.left type_parameter.name"
        " pair_pattern.value assignment_pattern.left object_assignment_pattern.left",
    ),
}
_SCRIPT_DEFINITIONS = defining(
    "function_declaration generator_function_declaration function_expression arrow_function",
    "class_declaration abstract_class_declaration class interface_declaration enum_declaration",
    "method_definition",
)
_SCRIPT_PATTERNS = words("object_pattern array_pattern rest_pattern")
_SCRIPT_SCOPES = words(
    "function_declaration generator_function_declaration function_expression arrow_function method_definition"
    " generator_function"
)

JAVASCRIPT = Language(
    name="javascript",
    grammar="tree_sitter_javascript",
    extensions=(".js", ".mjs", ".cjs", ".jsx"),
    containers=words("program statement_block class_body switch_case switch_default"),
    names=_SCRIPT_NAMES,
    roles=_SCRIPT_ROLES,
    patterns=_SCRIPT_PATTERNS,
    strings=words("string template_string regex jsx_text html_character_reference"),
    numbers=words("number"),
    scopes=_SCRIPT_SCOPES,
    classes=words("class_body"),
    imports=words("import_statement"),
    definitions=_SCRIPT_DEFINITIONS,
    comments=words("comment html_comment hash_bang_line"),
    receivers=words("this"),
    optional_semicolons=True,
)

_TYPESCRIPT_CONTAINERS = JAVASCRIPT.containers | words("interface_body")

TYPESCRIPT = Language(
    name="typescript",
    grammar="tree_sitter_typescript",
    entry="language_typescript",
    extensions=(".ts", ".mts", ".cts"),
    containers=_TYPESCRIPT_CONTAINERS,
    blocks=words("enum_body"),
    names=_SCRIPT_NAMES,
    roles=_SCRIPT_ROLES,
    patterns=_SCRIPT_PATTERNS,
    strings=JAVASCRIPT.strings | words("template_literal_type"),
    numbers=words("number"),
    scopes=_SCRIPT_SCOPES,
    classes=words("class_body interface_body"),
    imports=words("import_statement"),
    definitions=_SCRIPT_DEFINITIONS,
    comments=JAVASCRIPT.comments,
    receivers=words("this"),
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
    numbers=words("number"),
    scopes=_SCRIPT_SCOPES,
    classes=TYPESCRIPT.classes,
    imports=words("import_statement"),
    definitions=_SCRIPT_DEFINITIONS,
    comments=JAVASCRIPT.comments,
    receivers=words("this"),
    optional_semicolons=True,
)

GO = Language(
    name="go",
    grammar="tree_sitter_go",
    extensions=(".go",),
    containers=words("source_file statement_list field_declaration_list"),
    blocks=words("block"),
    names={
        **roles(Role.NAME, "identifier type_identifier package_identifier"),
        **roles(Role.LABEL, "field_identifier label_name"),
    },
    roles={
        **roles(
            Role.DEFINITION,
            "function_declaration.name method_declaration.name type_spec.name type_alias.name method_elem.name",
        ),
        **roles(Role.LABEL, "keyed_element.key field_declaration.name"),
        **roles(
            Role.BINDING,
            "short_var_declaration.left range_clause.left receive_statement.left parameter_declaration.name"
            " variadic_parameter_declaration.name var_spec.name const_spec.name type_parameter_declaration.name"
            " type_switch_statement.alias",
        ),
    },
    patterns=words("expression_list literal_element"),
    strings=words("interpreted_string_literal raw_string_literal rune_literal"),
    numbers=words("int_literal float_literal imaginary_literal"),
    scopes=words("function_declaration method_declaration func_literal"),
    imports=words("import_declaration package_clause"),
    definitions=defining("function_declaration", "type_spec", "method_declaration"),
    dropped=frozenset({"\n"}),
    optional_semicolons=True,
)

RUST = Language(
    name="rust",
    grammar="tree_sitter_rust",
    extensions=(".rs",),
    containers=words("source_file block declaration_list match_block field_declaration_list"),
    blocks=words("enum_variant_list"),
    names={
        **roles(Role.NAME, "identifier type_identifier primitive_type"),
        **roles(Role.LABEL, "field_identifier"),
        "shorthand_field_identifier": Role.BINDING,
    },
    roles={
        **roles(
            Role.DEFINITION,
            "function_item.name function_signature_item.name struct_item.name enum_item.name trait_item.name"
            " mod_item.name const_item.name static_item.name type_item.name union_item.name enum_variant.name"
            " associated_type.name",
        ),
        **roles(
            Role.BINDING,
            "let_declaration.pattern parameter.pattern closure_parameters.* for_expression.pattern"
            " let_condition.pattern match_arm.pattern field_pattern.pattern",
        ),
        **roles(Role.NAME, "tuple_struct_pattern.type struct_pattern.type match_pattern.condition"),
        **roles(Role.LABEL, "field_initializer.field"),
    },
    patterns=words(
        "tuple_pattern tuple_struct_pattern ref_pattern mut_pattern captured_pattern match_pattern or_pattern"
        " struct_pattern slice_pattern reference_pattern remaining_field_pattern"
    ),
    strings=words("string_literal raw_string_literal char_literal"),
    numbers=words("integer_literal float_literal"),
    scopes=words("function_item closure_expression"),
    imports=words("use_declaration extern_crate_declaration"),
    definitions=defining("function_item", "struct_item enum_item trait_item union_item impl_item"),
    comments=words("line_comment block_comment shebang"),
    skipped=words("macro_definition"),
    receivers=words("self"),
    capitals_are_constants=True,
)

JAVA = Language(
    name="java",
    grammar="tree_sitter_java",
    extensions=(".java",),
    containers=words(
        "program block class_body interface_body constructor_body enum_body_declarations annotation_type_body"
        " switch_block_statement_group"
    ),
    blocks=words("enum_body switch_block"),
    names=roles(Role.NAME, "identifier type_identifier"),
    roles={
        **roles(
            Role.DEFINITION,
            "method_declaration.name class_declaration.name interface_declaration.name enum_declaration.name"
            " record_declaration.name constructor_declaration.name annotation_type_declaration.name"
            " enum_constant.name compact_constructor_declaration.name",
        ),
        **roles(
            Role.BINDING,
            "variable_declarator.name formal_parameter.name catch_formal_parameter.name resource.name"
            " enhanced_for_statement.name lambda_expression.parameters inferred_parameters.* type_parameter.*"
            " instanceof_expression.name type_pattern.*",
        ),
        **roles(Role.LABEL, "element_value_pair.key labeled_statement.*"),
    },
    strings=words("string_literal character_literal"),
    numbers=words(
        "decimal_integer_literal hex_integer_literal octal_integer_literal binary_integer_literal"
        " decimal_floating_point_literal hex_floating_point_literal"
    ),
    scopes=words("method_declaration constructor_declaration lambda_expression"),
    classes=words("class_body interface_body enum_body_declarations"),
    imports=words("import_declaration package_declaration"),
    definitions=defining(
        "",
        "class_declaration interface_declaration enum_declaration record_declaration annotation_type_declaration",
        "method_declaration constructor_declaration compact_constructor_declaration",
    ),
    comments=words("line_comment block_comment"),
    not_statements=words("switch_label"),
    receivers=words("this"),
)

ELIXIR = Language(
    name="elixir",
    grammar="tree_sitter_elixir",
    extensions=(".ex", ".exs"),
    containers=words("source do_block else_block after_block rescue_block catch_block body"),
    names={"identifier": Role.BINDING, "alias": Role.MODULE, "atom": Role.ATOM, "keyword": Role.ATOM},
    roles={"call.target": Role.NAME},
    strings=words("string charlist sigil quoted_atom quoted_keyword"),
    numbers=words("integer float char"),
    definition_words=defining("def defp defmacro defmacrop", "defmodule defprotocol defimpl"),
    calls_are_separate=True,
)

LANGUAGES = MappingProxyType(
    {language.name: language for language in (PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, GO, RUST, JAVA, ELIXIR)}
)
_BY_EXTENSION = {extension: language for language in LANGUAGES.values() for extension in language.extensions}


def language_of(path: str) -> Language | None:
    """Return the language a file's extension stands for; None when the instance does not know it."""
    return _BY_EXTENSION.get(PurePosixPath(path).suffix.lower())

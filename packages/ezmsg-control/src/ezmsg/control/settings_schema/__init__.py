"""What a settings type allows: read once from its declaration, used for schema, JSON Schema, coercion and patching.

A declaration (`annotations`, and a reader for each kind of class) becomes fields with shapes; everything else is a
function of those: `metadata` and `json_schema` say what is allowed, `coercion` and `patching` see that it is kept.
"""

"""What a settings type allows: read once from its declaration, used for schema, JSON Schema, coercion and patching.

`ezmsg.control.settingsmeta` and `graph` enter; it uses nothing of `ezmsg.control` but `errors`. A declaration
(`sources`) becomes fields with shapes (`fields`); everything else is a function of those: `describing` says what is
allowed, `patching` sees that it is kept.
"""

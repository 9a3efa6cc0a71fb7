//! Reads and writes JSON that may have any shape.

use serde_json::Value;

/// The value at a JSON pointer, or null. Every event is asked many times, so a way through objects alone is gone without
/// unescaping the names on it.
#[must_use]
pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    let found = match pointer.strip_prefix('/') {
        Some(names) if !names.contains('~') => names.split('/').try_fold(value, |value, name| match value {
            Value::Object(fields) => fields.get(name),
            Value::Array(_) => value.pointer(&format!("/{name}")),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }),
        Some(_) | None => value.pointer(pointer),
    };
    found.unwrap_or(&Value::Null)
}

/// Sets a key of an object; anything else is left as it is.
pub fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_leads_where_the_standard_says() {
        let value = json!({"a": {"b": [{"c": 1}, 2], "": 3, "x/y": 4, "m~n": 5}, "": 6});
        for pointer in [
            "", "/", "/a/b/0/c", "/a/b/1", "/a/b/01", "/a/b/+1", "/a/b/2", "/a/b/-", "/a/", "/a/x~1y", "/a/m~0n", "/a/b/c", "/z",
            "a", "/a/b/1/c",
        ] {
            assert_eq!(at(&value, pointer), value.pointer(pointer).unwrap_or(&Value::Null), "{pointer}");
        }
    }
}

//! Reading and writing JSON of which nothing can be taken for granted.

use serde_json::Value;

/// What stands at a JSON pointer, or null.
#[must_use]
pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    // `Value::pointer` copies every key to unescape it, and a record is asked dozens of times. Objects need no more than this.
    let Some(keys) = pointer.strip_prefix('/').filter(|_| !pointer.contains('~')) else {
        return value.pointer(pointer).unwrap_or(&Value::Null);
    };
    let mut reached = value;
    for key in keys.split('/') {
        reached = match reached {
            Value::Object(fields) => fields.get(key).unwrap_or(&Value::Null),
            Value::Array(_) => return value.pointer(pointer).unwrap_or(&Value::Null),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return &Value::Null,
        };
    }
    reached
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
    fn a_pointer_leads_where_it_does_for_everybody_else() {
        let value = json!({"a": {"b": [{"c": 1}, "x"], "": 2, "n": null}, "a~b": 3, "c/d": 4, "": {"": 5}, "0": 6});
        for pointer in [
            "", "/", "//", "/a", "/a/b", "/a/b/0", "/a/b/0/c", "/a/b/1", "/a/b/2", "/a/b/00", "/a/b/+1", "/a/b/1/c", "/a/",
            "/a/n", "/a/n/x", "/a~0b", "/c~1d", "/a~b", "a", "a/b", "/0", "/x", "/x/y",
        ] {
            assert_eq!(at(&value, pointer), value.pointer(pointer).unwrap_or(&Value::Null), "{pointer}");
        }
        assert_eq!(at(&json!([[7]]), "/0/0"), &json!(7));
        assert_eq!(at(&json!("text"), "/0"), &Value::Null);
    }
}

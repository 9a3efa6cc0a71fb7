//! Reading and writing JSON of which nothing can be taken for granted.

use serde_json::Value;

/// What stands at a JSON pointer, or null.
#[must_use]
pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Sets a key of an object; anything else is left as it is.
pub fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

//! What the emulator's record leaves out of an answer and Cordon needs: the id of an access key that a call made.
//!
//! The calls come in their order, and so do a user's keys. So the key of a call is the oldest one of its user that no earlier call
//! made. The operator's calls count too, though they are not relayed.

use std::collections::HashSet;

use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types::AccessKeyMetadata;
use serde_json::{Value, json};

/// The keys that calls were found to have made.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    given: HashSet<String>,
}

impl Answers {
    /// `responseElements` of a call, as CloudTrail writes it; null where it is not known.
    pub async fn of(&mut self, action: &str, parameters: &Value, iam: &aws_sdk_iam::Client) -> Value {
        let Some(user) = parameters["userName"].as_str().filter(|_| action == "CreateAccessKey") else { return Value::Null };
        let Ok(listed) = iam.list_access_keys().user_name(user).send().await else { return Value::Null };
        self.next(listed.access_key_metadata())
    }

    fn next(&mut self, keys: &[AccessKeyMetadata]) -> Value {
        let mut keys: Vec<&AccessKeyMetadata> = keys.iter().collect();
        keys.sort_by_key(|key| key.create_date().map(DateTime::as_nanos));
        let made = keys.into_iter().find_map(|key| {
            let id = key.access_key_id()?;
            self.given.insert(id.to_owned()).then(|| json!({"accessKeyId": id, "userName": key.user_name(), "status": "Active"}))
        });
        made.map_or(Value::Null, |key| json!({"accessKey": key}))
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn each_call_gets_the_oldest_key_that_no_earlier_one_made() {
        let key = |id: &str, at: i64| {
            AccessKeyMetadata::builder().access_key_id(id).user_name("u").create_date(DateTime::from_secs(at)).build()
        };
        let mut answers = Answers::default();
        let id = |answer: &Value| answer["accessKey"]["accessKeyId"].as_str().map(str::to_owned);
        assert_eq!(id(&answers.next(&[key("AKIA2", 5), key("AKIA1", 4)])).as_deref(), Some("AKIA1"));
        assert_eq!(id(&answers.next(&[key("AKIA2", 5), key("AKIA1", 4)])).as_deref(), Some("AKIA2"));
        assert_eq!(answers.next(&[key("AKIA2", 5)]), Value::Null, "the call failed, or its key is gone");
    }
}

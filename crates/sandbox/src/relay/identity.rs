//! Finds the caller from the access key id that the emulator recorded, and writes it as CloudTrail's `userIdentity`.
//!
//! A long-term key belongs to a user, which IAM names. The launcher writes a ledger of temporary keys. The account's own 12-digit
//! key is the operator's: Terraform and the sandbox set things up with it, as a deployment pipeline does before CloudTrail is
//! watched, so its calls are not relayed. To play an attack, use a user's key.

use std::collections::HashMap;
use std::path::PathBuf;

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};

/// Who is behind a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Caller {
    /// The operator, whose calls are not relayed.
    Operator,
    /// `userIdentity` as CloudTrail writes it.
    Identity(Value),
}

/// A line of the launcher's ledger.
#[derive(Debug, Clone, Deserialize)]
struct Session {
    access_key_id: String,
    arn: Option<String>,
    user_id: Option<String>,
    principal_name: Option<String>,
    issued_at: Option<f64>,
}

/// Looks callers up, and remembers them: a key never changes hands.
#[derive(Debug)]
pub(crate) struct Identities {
    ledger: PathBuf,
    known: HashMap<String, Value>,
}

impl Identities {
    pub fn new(ledger: PathBuf) -> Self {
        Self { ledger, known: HashMap::new() }
    }

    pub async fn resolve(&mut self, key: &str, account: &str, operator: &SdkConfig) -> Caller {
        if is_operators(key) {
            return Caller::Operator;
        }
        if let Some(identity) = self.known.get(key) {
            return Caller::Identity(identity.clone());
        }
        let iam = aws_sdk_iam::Client::new(operator);
        let found = match self.session(key) {
            Some(session) => session_identity(&session, account, &iam).await,
            None => user_identity(key, account, &iam).await,
        };
        match found {
            Some(identity) => {
                self.known.insert(key.to_owned(), identity.clone());
                Caller::Identity(identity)
            }
            // Not remembered: the next look may find it.
            None => Caller::Identity(json!({"type": "Unknown", "accountId": account, "accessKeyId": key})),
        }
    }

    fn session(&self, key: &str) -> Option<Session> {
        let text = std::fs::read_to_string(&self.ledger).ok()?;
        // The last line about a key counts: a function that was replaced may have the same one under another role.
        text.lines().rev().filter_map(|line| serde_json::from_str::<Session>(line).ok()).find(|s| s.access_key_id == key)
    }
}

/// `test` and 12-digit numbers are the emulator's root keys.
fn is_operators(key: &str) -> bool {
    key == "test" || (key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit()))
}

async fn user_identity(key: &str, account: &str, iam: &aws_sdk_iam::Client) -> Option<Value> {
    let owner = iam.get_access_key_last_used().access_key_id(key).send().await.ok()?;
    let user = iam.get_user().user_name(owner.user_name()?).send().await.ok()?.user?;
    Some(iam_user(&user, account, key))
}

fn iam_user(user: &aws_sdk_iam::types::User, account: &str, key: &str) -> Value {
    json!({
        "type": "IAMUser",
        "principalId": user.user_id(),
        "arn": user.arn(),
        "accountId": account,
        "accessKeyId": key,
        "userName": user.user_name(),
    })
}

async fn session_identity(session: &Session, account: &str, iam: &aws_sdk_iam::Client) -> Option<Value> {
    let arn = session.arn.as_deref()?;
    let resource = arn.rsplit(':').next()?;
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    match kind {
        "assumed-role" => {
            let (role_name, session_name) = name.split_once('/')?;
            let role = iam.get_role().role_name(role_name).send().await.ok()?.role?;
            Some(assumed_role(session, account, &role, session_name))
        }
        "user" => {
            let name = session.principal_name.clone().unwrap_or_else(|| name.rsplit('/').next().unwrap_or(name).to_owned());
            let user = iam.get_user().user_name(name).send().await.ok()?.user?;
            let mut identity = iam_user(&user, account, &session.access_key_id);
            if let Some(fields) = identity.as_object_mut() {
                fields.insert("sessionContext".to_owned(), json!({"attributes": attributes(session)}));
            }
            Some(identity)
        }
        "federated-user" => {
            let user = iam.get_user().user_name(session.principal_name.clone()?).send().await.ok()?.user?;
            Some(federated(session, account, &user))
        }
        "root" => Some(json!({
            "type": "Root",
            "principalId": account,
            "arn": arn,
            "accountId": account,
            "accessKeyId": session.access_key_id,
            "sessionContext": {"attributes": attributes(session)},
        })),
        _ => None,
    }
}

fn assumed_role(session: &Session, account: &str, role: &aws_sdk_iam::types::Role, session_name: &str) -> Value {
    json!({
        "type": "AssumedRole",
        "principalId": format!("{}:{session_name}", role.role_id()),
        "arn": session.arn,
        "accountId": account,
        "accessKeyId": session.access_key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role.role_id(),
                "arn": role.arn(),
                "accountId": account,
                "userName": role.role_name(),
            },
            "attributes": attributes(session),
        },
    })
}

fn federated(session: &Session, account: &str, user: &aws_sdk_iam::types::User) -> Value {
    json!({
        "type": "FederatedUser",
        "principalId": session.user_id,
        "arn": session.arn,
        "accountId": account,
        "accessKeyId": session.access_key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "IAMUser",
                "principalId": user.user_id(),
                "arn": user.arn(),
                "accountId": account,
                "userName": user.user_name(),
            },
            "attributes": attributes(session),
        },
    })
}

fn attributes(session: &Session) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are what CloudTrail writes")]
    let began = session.issued_at.and_then(|seconds| jiff::Timestamp::from_second(seconds as i64).ok());
    json!({"creationDate": began.map(|time| time.to_string()), "mfaAuthenticated": "false"})
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::primitives::DateTime;
    use aws_sdk_iam::types::{Role, User};

    use super::*;

    fn session(arn: &str) -> Session {
        Session {
            access_key_id: "ASIA1".into(),
            arn: Some(arn.into()),
            user_id: Some("111122223333:bob".into()),
            principal_name: Some("bob".into()),
            issued_at: Some(1_735_689_600.75),
        }
    }

    #[test]
    fn root_keys_are_the_operators_and_no_others() {
        for (key, operators) in [("test", true), ("111122223333", true), ("AKIAIOSFODNN7", false), ("11112222333", false)] {
            assert_eq!(is_operators(key), operators, "{key}");
        }
    }

    #[test]
    fn a_role_session_names_its_role_with_its_path() {
        let role = Role::builder()
            .path("/cordon/")
            .role_name("remediate")
            .role_id("AROA1")
            .arn("arn:aws:iam::111122223333:role/cordon/remediate")
            .create_date(DateTime::from_secs(0))
            .build()
            .unwrap();
        let arn = "arn:aws:sts::111122223333:assumed-role/remediate/cordon-remediate";
        assert_eq!(
            assumed_role(&session(arn), "111122223333", &role, "cordon-remediate"),
            json!({
                "type": "AssumedRole",
                "principalId": "AROA1:cordon-remediate",
                "arn": arn,
                "accountId": "111122223333",
                "accessKeyId": "ASIA1",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROA1",
                        "arn": "arn:aws:iam::111122223333:role/cordon/remediate",
                        "accountId": "111122223333",
                        "userName": "remediate",
                    },
                    "attributes": {"creationDate": "2025-01-01T00:00:00Z", "mfaAuthenticated": "false"},
                },
            })
        );
    }

    #[test]
    fn a_federated_session_names_the_user_it_came_from() {
        let user = User::builder()
            .path("/")
            .user_name("bob")
            .user_id("AIDA1")
            .arn("arn:aws:iam::111122223333:user/bob")
            .create_date(DateTime::from_secs(0))
            .build()
            .unwrap();
        let identity = federated(&session("arn:aws:sts::111122223333:federated-user/x"), "111122223333", &user);
        assert_eq!(identity["type"], "FederatedUser");
        assert_eq!(identity["sessionContext"]["sessionIssuer"]["userName"], "bob");
    }

    #[test]
    fn the_ledger_is_read_by_key_and_its_last_line_counts() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("sessions.jsonl");
        let lines = "{\"access_key_id\":\"A\",\"arn\":\"one\"}\nnot json\n{\"access_key_id\":\"A\",\"arn\":\"two\"}\n";
        std::fs::write(&ledger, lines).unwrap();
        let identities = Identities::new(ledger);
        assert_eq!(identities.session("A").unwrap().arn.as_deref(), Some("two"));
        assert!(identities.session("B").is_none());
    }
}

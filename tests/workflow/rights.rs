//! The properties and permissions of a user, role or policy, as IAM reports them, compared byte for byte before a remedy and
//! after its undo.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;

use super::deployment::Deployment;
use super::person::{EVERYTHING, Person};

/// What IAM calls a thing, and its value to the byte.
pub type Rights = BTreeMap<String, String>;

impl Deployment {
    /// Gives a user rights outside of IAM too.
    pub async fn may_do_anything(&self, user: &Person) {
        let put = self.operator().put_user_policy().user_name(&user.name).policy_name("anything").policy_document(EVERYTHING);
        put.send().await.unwrap();
    }

    pub async fn role_may_do_anything(&self, role: &Person) {
        let put = self.operator().put_role_policy().role_name(&role.name).policy_name("anything").policy_document(EVERYTHING);
        put.send().await.unwrap();
    }

    pub async fn rights_of_user(&self, name: &str) -> Rights {
        of_user(&self.operator(), name).await
    }

    pub async fn rights_of_role(&self, name: &str) -> Rights {
        of_role(&self.operator(), name).await
    }
}

async fn of_user(iam: &Client, name: &str) -> Rights {
    let mut rights = Rights::new();
    let user = iam.get_user().user_name(name).send().await.unwrap().user.unwrap();
    rights.insert("id".to_owned(), user.user_id().to_owned());
    if let Some(arn) = user.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()) {
        rights.insert("boundary".to_owned(), arn.to_owned());
    }
    for policy in iam.list_user_policies().user_name(name).send().await.unwrap().policy_names() {
        let read = iam.get_user_policy().user_name(name).policy_name(policy).send().await.unwrap();
        rights.insert(format!("inline {policy}"), read.policy_document().to_owned());
    }
    for policy in iam.list_attached_user_policies().user_name(name).send().await.unwrap().attached_policies() {
        rights.insert(format!("attached {}", policy.policy_arn().unwrap()), String::new());
    }
    for tag in iam.list_user_tags().user_name(name).send().await.unwrap().tags() {
        rights.insert(format!("tag {}", tag.key()), tag.value().to_owned());
    }
    for group in iam.list_groups_for_user().user_name(name).send().await.unwrap().groups() {
        rights.insert(format!("group {}", group.group_name()), String::new());
    }
    for key in iam.list_access_keys().user_name(name).send().await.unwrap().access_key_metadata() {
        let status = key.status().unwrap().as_str().to_owned();
        rights.insert(format!("key {}", key.access_key_id().unwrap()), status);
    }
    if let Ok(read) = iam.get_login_profile().user_name(name).send().await {
        rights.insert("password".to_owned(), format!("{:?}", read.login_profile().unwrap()));
    }
    rights
}

async fn of_role(iam: &Client, name: &str) -> Rights {
    let mut rights = Rights::new();
    let role = iam.get_role().role_name(name).send().await.unwrap().role.unwrap();
    rights.insert("id".to_owned(), role.role_id().to_owned());
    rights.insert("trust".to_owned(), role.assume_role_policy_document().unwrap().to_owned());
    if let Some(arn) = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()) {
        rights.insert("boundary".to_owned(), arn.to_owned());
    }
    for policy in iam.list_role_policies().role_name(name).send().await.unwrap().policy_names() {
        let read = iam.get_role_policy().role_name(name).policy_name(policy).send().await.unwrap();
        rights.insert(format!("inline {policy}"), read.policy_document().to_owned());
    }
    for policy in iam.list_attached_role_policies().role_name(name).send().await.unwrap().attached_policies() {
        rights.insert(format!("attached {}", policy.policy_arn().unwrap()), String::new());
    }
    for tag in iam.list_role_tags().role_name(name).send().await.unwrap().tags() {
        rights.insert(format!("tag {}", tag.key()), tag.value().to_owned());
    }
    rights
}

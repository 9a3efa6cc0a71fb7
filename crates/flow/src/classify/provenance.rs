//! Remembers who granted or withdrew exceptions, and when, so that an exception does not count if an attacker granted it to
//! themself or if it is suspiciously recent.
//!
//! An exception without a record here was granted before Cordon watched, or by a call that CloudTrail has not delivered yet. It
//! counts unless `require_provenance` is set, and the card says that its origin is unknown.

use cordon_core::json::at;
use cordon_core::principal::recipient;
use cordon_core::{Actor, Config, Event, Principal, PrincipalKind, Subject};
use cordon_store::{Change, Grant, Moved, Observed, Provenance};
use serde_json::Value;

/// The exceptions which an event gave or took away; none where it did neither, or failed.
#[must_use]
pub fn observed<'a>(event: &Event, config: &'a Config) -> Vec<Observed<'a>> {
    if event.error_code.is_some() || event.service != "iam.amazonaws.com" {
        return Vec::new();
    }
    let observer = Observer { event, config, parameters: at(&event.record, "/requestParameters") };
    match event.name.as_str() {
        "TagUser" | "TagRole" => observer.tags_set(),
        "CreateUser" | "CreateRole" => [observer.tags_set(), observer.arn(Change::Given)].concat(),
        "DeleteUser" | "DeleteRole" => observer.arn(Change::TakenAway),
        "UntagUser" | "UntagRole" => observer.tags_removed(),
        "AddUserToGroup" => observer.membership(Change::Given),
        "RemoveUserFromGroup" => observer.membership(Change::TakenAway),
        "CreateGroup" => [observer.group("groupName", Change::Given), observer.group_arn(Change::Given)].concat(),
        "DeleteGroup" => [observer.group("groupName", Change::TakenAway), observer.group_arn(Change::TakenAway)].concat(),
        "UpdateGroup" => [observer.group_renamed(), observer.moved(PrincipalKind::Group, "groupName", "newGroupName")].concat(),
        "UpdateUser" => observer.renamed(),
        _ => Vec::new(),
    }
}

struct Observer<'e, 'c> {
    event: &'e Event,
    config: &'c Config,
    parameters: &'e Value,
}

impl<'c> Observer<'_, 'c> {
    fn observed(&self, principal: &Principal, grant: Grant<'c>, change: Change, value: Option<&str>) -> Observed<'c> {
        Observed { principal: principal.clone(), grant, provenance: self.provenance(change, value) }
    }

    fn provenance(&self, change: Change, value: Option<&str>) -> Provenance {
        let actor = Actor::from_record(&self.event.record);
        Provenance {
            by: actor.principal().map_or_else(|| actor.display(), |principal| principal.arn()),
            at: self.event.time,
            event: self.event.id.to_string(),
            change,
            value: value.map(str::to_owned),
            former: None,
            moved: None,
            earlier: Vec::new(),
            version: 0,
        }
    }

    fn tag_keys(&self) -> [&'c str; 2] {
        [&self.config.exceptions.tag_key, &self.config.exceptions.until_key]
    }

    fn tags_set(&self) -> Vec<Observed<'c>> {
        let Some(principal) = self.subject() else { return Vec::new() };
        let tags = self.parameters["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
        let set = |key: &str| tags.iter().find(|tag| tag["key"].as_str().is_some_and(|set| set.eq_ignore_ascii_case(key)));
        let keys = self.tag_keys().into_iter().filter_map(|tag| Some((tag, set(tag)?)));
        keys.map(|(tag, set)| self.observed(&principal, Grant::Tag(tag), Change::Given, set["value"].as_str())).collect()
    }

    fn tags_removed(&self) -> Vec<Observed<'c>> {
        let Some(principal) = self.subject() else { return Vec::new() };
        let removed = self.parameters["tagKeys"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_removed = |key: &str| removed.iter().any(|tag| tag.as_str().is_some_and(|tag| tag.eq_ignore_ascii_case(key)));
        let keys = self.tag_keys().into_iter().filter(|tag| is_removed(tag));
        keys.map(|tag| self.observed(&principal, Grant::Tag(tag), Change::TakenAway, None)).collect()
    }

    fn membership(&self, change: Change) -> Vec<Observed<'c>> {
        let (Some(user), Some(group)) = (self.user("userName"), self.parameters["groupName"].as_str()) else {
            return Vec::new();
        };
        let exempt = self.config.exceptions.exempt_groups.iter().find(|name| name.eq_ignore_ascii_case(group));
        exempt.map(|group| self.observed(&user, Grant::Group(group), change, None)).into_iter().collect()
    }

    /// An exempt group has this name from now on, or no longer.
    fn group(&self, parameter: &str, change: Change) -> Vec<Observed<'c>> {
        let Some(group) = self.principal(PrincipalKind::Group, parameter) else { return Vec::new() };
        let exempt = self.config.exceptions.exempt_groups.iter().find(|name| group.name == name.as_str());
        exempt.map(|name| self.observed(&group, Grant::Group(name), change, None)).into_iter().collect()
    }

    /// With a new name come all members. A new path exempts nobody: groups are exempt by their names.
    fn group_renamed(&self) -> Vec<Observed<'c>> {
        let Some(new) = self.principal(PrincipalKind::Group, "newGroupName") else { return Vec::new() };
        let old = self.principal(PrincipalKind::Group, "groupName").filter(|old| old.name != new.name);
        let names = self.names(old, &new);
        [self.group("groupName", Change::TakenAway), self.group("newGroupName", Change::Renamed), names].concat()
    }

    /// The principal that was made or deleted has its ARN by that.
    fn arn(&self, change: Change) -> Vec<Observed<'c>> {
        self.subject().map(|principal| self.arn_of(&principal, change)).into_iter().collect()
    }

    fn group_arn(&self, change: Change) -> Vec<Observed<'c>> {
        let group = self.principal(PrincipalKind::Group, "groupName");
        group.map(|group| self.arn_of(&group, change)).into_iter().collect()
    }

    fn arn_of(&self, principal: &Principal, change: Change) -> Observed<'c> {
        let mut observed = self.observed(principal, Grant::Arn, change, None);
        let path = self.parameters["path"].as_str().unwrap_or("/");
        let to_path = (change == Change::Given).then(|| path.to_owned());
        observed.provenance.moved = Some(Moved { to_path, ..Moved::default() });
        observed
    }

    /// A new name or path: what the old name has no longer, and how the new one came to its ARN.
    fn moved(&self, kind: PrincipalKind, old: &str, new: &str) -> Vec<Observed<'c>> {
        let Some(from) = self.principal(kind, old) else { return Vec::new() };
        let to_path = self.parameters["newPath"].as_str().filter(|path| !path.is_empty()).map(str::to_owned);
        let renamed = self.principal(kind, new).filter(|to| to.name != from.name);
        if renamed.is_none() && to_path.is_none() {
            return Vec::new();
        }
        // Only of the caller does an event say the ARN from before.
        let caller = Actor::from_record(&self.event.record).principal().filter(|caller| *caller == from);
        let from_path = caller.and_then(|caller| caller.known_arn).and_then(|arn| arn.path());
        let moved = Moved { from_name: Some(from.name.to_string()), from_path, to_path };
        let left = renamed.is_some().then(|| {
            let mut left = self.observed(&from, Grant::Arn, Change::TakenAway, None);
            left.provenance.moved = Some(Moved::default());
            left
        });
        let mut came = self.observed(renamed.as_ref().unwrap_or(&from), Grant::Arn, Change::Renamed, None);
        came.provenance.moved = Some(moved);
        left.into_iter().chain([came]).collect()
    }

    /// Whatever the user had counts from now on, as if the one who renamed had given it. A new path changes the ARN alone.
    fn renamed(&self) -> Vec<Observed<'c>> {
        let moved = self.moved(PrincipalKind::User, "userName", "newUserName");
        let Some(user) = self.user("newUserName") else { return moved };
        let names = self.names(self.user("userName").filter(|left| left.name != user.name), &user);
        let tags = self.tag_keys().map(Grant::Tag).into_iter();
        let groups = self.config.exceptions.exempt_groups.iter().map(|group| Grant::Group(group));
        let brought = tags.chain(groups).map(|grant| self.observed(&user, grant, Change::Renamed, None));
        let mut all: Vec<Observed<'c>> = moved.into_iter().chain(brought).collect();
        if self.is_by_the_renamed() {
            // The event names the caller as they were called before. Under the new name they are the actor all the same.
            let came = all.iter_mut().filter(|observed| observed.provenance.change == Change::Renamed);
            came.for_each(|observed| observed.provenance.by = user.arn());
        }
        all.into_iter().chain(names).collect()
    }

    /// Both names have another owner from now on: what earlier events say of them is about somebody else.
    fn names(&self, old: Option<Principal>, new: &Principal) -> Vec<Observed<'c>> {
        let Some(old) = old else { return Vec::new() };
        let name = |principal: &Principal, change| self.observed(principal, Grant::Name, change, None);
        vec![name(&old, Change::TakenAway), name(new, Change::Renamed)]
    }

    /// Whether somebody renamed themself.
    fn is_by_the_renamed(&self) -> bool {
        let caller = Actor::from_record(&self.event.record).principal();
        caller.is_some() && caller == self.user("userName")
    }

    fn user(&self, parameter: &str) -> Option<Principal> {
        self.principal(PrincipalKind::User, parameter)
    }

    fn principal(&self, kind: PrincipalKind, parameter: &str) -> Option<Principal> {
        let name = self.parameters[parameter].as_str().filter(|name| !name.is_empty())?;
        let account = recipient(&self.event.record).or(Actor::from_record(&self.event.record).account)?;
        Some(Principal::new(kind, account, name))
    }

    fn subject(&self) -> Option<Principal> {
        match Subject::from_record(&self.event.record) {
            Subject::Principal { principal } => Some(principal),
            Subject::Policy { .. } | Subject::AccessKey { .. } | Subject::Account { .. } | Subject::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_store::Store;
    use cordon_testkit::{MemoryTable, run};
    use serde_json::json;

    fn event(name: &str, parameters: Value) -> Event {
        let envelope = json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "account": "111111111111", "detail": {
            "eventID": "e", "eventName": name, "eventSource": "iam.amazonaws.com", "eventTime": "2026-01-02T03:00:00Z", "recipientAccountId": "111111111111",
            "userIdentity": {"type": "IAMUser", "userName": "mallory", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/mallory"},
            "requestParameters": parameters}});
        Event::from_envelope(&envelope, None).unwrap()
    }

    /// The items that an event leaves in the table, by their keys.
    fn keys(event: &Event) -> Vec<String> {
        let (table, config) = (MemoryTable::default(), Config::default());
        run(Store::new(&table).remember(observed(event, &config))).unwrap();
        table.keys().iter().filter_map(|key| Some(key.rsplit_once('/')?.0.to_owned())).collect()
    }

    #[test]
    fn every_way_to_set_the_exception_tag_or_join_an_exempt_group_is_remembered() {
        let tag = json!([{"key": "SecurityApproved", "value": "true"}]);
        assert_eq!(
            keys(&event("TagUser", json!({"userName": "bob", "tags": tag}))),
            ["TAG#111111111111#user#bob#securityapproved"]
        );
        assert_eq!(
            keys(&event("CreateUser", json!({"userName": "bob", "tags": tag}))),
            ["ARN#111111111111#user#bob", "TAG#111111111111#user#bob#securityapproved"]
        );
        assert_eq!(keys(&event("TagRole", json!({"roleName": "r", "tags": tag}))), ["TAG#111111111111#role#r#securityapproved"]);
        assert_eq!(
            keys(&event("AddUserToGroup", json!({"userName": "bob", "groupName": "admins"}))),
            ["GROUP#111111111111#user#bob#admins"]
        );
        assert!(keys(&event("AddUserToGroup", json!({"userName": "bob", "groupName": "admins2"}))).is_empty());
        assert!(keys(&event("TagUser", json!({"userName": "bob", "tags": [{"key": "Other", "value": "true"}]}))).is_empty());
        let mut failed = event("TagUser", json!({"userName": "bob", "tags": tag}));
        failed.error_code = Some("AccessDenied".to_owned());
        assert!(keys(&failed).is_empty());
    }

    #[test]
    fn the_tag_with_the_end_a_removal_and_a_new_name_are_remembered_too_however_they_are_spelt() {
        let both = json!([{"key": "securityapproved", "value": "true"}, {"key": "SecurityApprovedUntil", "value": "2026-12-31"}]);
        let tag = "TAG#111111111111#user#bob#securityapproved";
        let until = "TAG#111111111111#user#bob#securityapproveduntil";
        assert_eq!(keys(&event("TagUser", json!({"userName": "BOB", "tags": both}))), [tag, until]);
        let untag = event("UntagUser", json!({"userName": "bob", "tagKeys": ["team", "SECURITYAPPROVEDUNTIL"]}));
        assert_eq!(keys(&untag), [until]);
        assert_eq!(observed(&untag, &Config::default())[0].provenance.change, Change::TakenAway);
        let group = "GROUP#111111111111#user#bob#admins";
        assert_eq!(keys(&event("AddUserToGroup", json!({"userName": "Bob", "groupName": "Admins"}))), [group]);
        assert_eq!(keys(&event("RemoveUserFromGroup", json!({"userName": "bob", "groupName": "admins"}))), [group]);
        let (bob, eve) = ("ARN#111111111111#user#bob", "ARN#111111111111#user#eve");
        assert_eq!(
            keys(&event("UpdateUser", json!({"userName": "eve", "newUserName": "bob"}))),
            [bob, eve, group, "NAME#111111111111#user#bob", "NAME#111111111111#user#eve", tag, until]
        );
        assert_eq!(keys(&event("UpdateUser", json!({"userName": "eve", "newPath": "/x/"}))), [eve]);
    }

    /// How Cordon knows what a call of IAM does to exceptions.
    enum How {
        /// These calls, with these parameters, leave an item.
        Observed(&'static [&'static str]),
        /// It cannot change what an exception matches on, for this reason.
        No(&'static str),
    }

    /// Every call of IAM that writes, in the order of AWS's service authorization reference.
    fn writing_calls() -> Vec<(How, &'static str)> {
        use How::{No, Observed};
        vec![
            (
                Observed(&[
                    r#"AddUserToGroup {"userName": "bob", "groupName": "admins"}"#,
                    r#"RemoveUserFromGroup {"userName": "bob", "groupName": "Admins"}"#,
                    r#"CreateGroup {"groupName": "admins"}"#,
                    r#"CreateGroup {"groupName": "ADMINS", "path": "/x/"}"#,
                    r#"DeleteGroup {"groupName": "admins"}"#,
                    r#"UpdateGroup {"groupName": "staff", "newGroupName": "admins"}"#,
                    r#"UpdateGroup {"groupName": "admins", "newGroupName": "staff"}"#,
                    r#"CreateUser {"userName": "bob"}"#,
                    r#"CreateUser {"userName": "bob", "path": "/break-glass/"}"#,
                    r#"CreateRole {"roleName": "r", "path": "/break-glass/"}"#,
                    r#"DeleteUser {"userName": "bob"}"#,
                    r#"DeleteRole {"roleName": "r"}"#,
                    r#"UpdateUser {"userName": "bob", "newUserName": "eve"}"#,
                    r#"UpdateUser {"userName": "bob", "newPath": "/break-glass/"}"#,
                    r#"UpdateUser {"userName": "bob", "newUserName": "eve", "newPath": "/break-glass/"}"#,
                    r#"TagUser {"userName": "bob", "tags": [{"key": "SecurityApproved", "value": "true"}]}"#,
                    r#"TagRole {"roleName": "r", "tags": [{"key": "SecurityApprovedUntil", "value": "2026-12-31"}]}"#,
                    r#"UntagUser {"userName": "bob", "tagKeys": ["SecurityApproved"]}"#,
                    r#"UntagRole {"roleName": "r", "tagKeys": ["securityapproveduntil"]}"#,
                ]),
                "AddUserToGroup RemoveUserFromGroup CreateGroup DeleteGroup UpdateGroup CreateUser CreateRole DeleteUser DeleteRole \
                 UpdateUser TagUser TagRole UntagUser UntagRole",
            ),
            (
                No("it changes what a principal may do, or who may become a role, and no name, path, group or tag of one"),
                "AttachGroupPolicy AttachRolePolicy AttachUserPolicy DetachGroupPolicy DetachRolePolicy DetachUserPolicy \
                 PutGroupPolicy PutRolePolicy PutUserPolicy DeleteGroupPolicy DeleteRolePolicy DeleteUserPolicy \
                 PutRolePermissionsBoundary PutUserPermissionsBoundary DeleteRolePermissionsBoundary DeleteUserPermissionsBoundary \
                 UpdateAssumeRolePolicy PassRole AddRoleToInstanceProfile RemoveRoleFromInstanceProfile",
            ),
            (
                No(
                    "of a role it changes the description or how long sessions last; IAM has no call that renames or moves a role",
                ),
                "UpdateRole UpdateRoleDescription",
            ),
            (
                No("it is about policies, whose names and tags no exception matches"),
                "CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion SetDefaultPolicyVersion TagPolicy UntagPolicy",
            ),
            (
                No("it makes or changes a credential, and an exception is matched on its holder"),
                "ChangePassword CreateAccessKey DeleteAccessKey UpdateAccessKey CreateLoginProfile DeleteLoginProfile UpdateLoginProfile \
                 CreateServiceSpecificCredential DeleteServiceSpecificCredential ResetServiceSpecificCredential \
                 UpdateServiceSpecificCredential UploadSSHPublicKey UpdateSSHPublicKey DeleteSSHPublicKey UploadSigningCertificate \
                 UpdateSigningCertificate DeleteSigningCertificate UploadServerCertificate UpdateServerCertificate \
                 DeleteServerCertificate TagServerCertificate UntagServerCertificate UploadCloudFrontPublicKey UpdateCloudFrontPublicKey \
                 DeleteCloudFrontPublicKey CreateVirtualMFADevice DeleteVirtualMFADevice EnableMFADevice DeactivateMFADevice \
                 ResyncMFADevice TagMFADevice UntagMFADevice",
            ),
            (
                No(
                    "AWS chooses the name and the path of a service-linked role, below /aws-service-role/, and it takes no tags with it",
                ),
                "CreateServiceLinkedRole DeleteServiceLinkedRole",
            ),
            (
                No("it is about instance profiles and identity providers, which are no principals and carry no exception"),
                "CreateInstanceProfile DeleteInstanceProfile TagInstanceProfile UntagInstanceProfile CreateOpenIDConnectProvider \
                 DeleteOpenIDConnectProvider AddClientIDToOpenIDConnectProvider RemoveClientIDFromOpenIDConnectProvider \
                 UpdateOpenIDConnectProviderThumbprint TagOpenIDConnectProvider UntagOpenIDConnectProvider CreateSAMLProvider \
                 DeleteSAMLProvider UpdateSAMLProvider TagSAMLProvider UntagSAMLProvider",
            ),
            (
                No("it is about the account or its organization, and no single principal"),
                "CreateAccountAlias DeleteAccountAlias UpdateAccountPasswordPolicy DeleteAccountPasswordPolicy UpdateAccountEmailAddress \
                 UpdateAccountName SetSTSRegionalEndpointStatus SetSecurityTokenServicePreferences \
                 EnableOrganizationsRootCredentialsManagement DisableOrganizationsRootCredentialsManagement \
                 EnableOrganizationsRootSessions DisableOrganizationsRootSessions EnableOutboundWebIdentityFederation \
                 DisableOutboundWebIdentityFederation",
            ),
            (
                No("it hands rights to a partner for a while; what the partner then changes is a call of its own"),
                "AcceptDelegationRequest AssociateDelegationRequest CreateDelegationRequest RejectDelegationRequest SendDelegationToken",
            ),
        ]
    }

    #[test]
    fn attack_11_every_writing_call_of_iam_is_observed_or_cannot_change_what_an_exception_matches_on() {
        let mut known = 0;
        for (how, calls) in writing_calls() {
            let calls: Vec<&str> = calls.split_whitespace().collect();
            known += calls.len();
            match how {
                How::Observed(examples) => {
                    for example in examples {
                        let (name, parameters) = example.split_once(' ').unwrap();
                        assert!(calls.contains(&name), "{name}");
                        assert!(!keys(&event(name, serde_json::from_str(parameters).unwrap())).is_empty(), "{example}");
                    }
                    for call in &calls {
                        assert!(
                            examples.iter().any(|example| example.split_once(' ').unwrap().0 == *call),
                            "{call} has no example"
                        );
                    }
                }
                How::No(reason) => {
                    for call in calls {
                        let everything = json!({"userName": "bob", "roleName": "r", "groupName": "admins", "newUserName": "eve", "newPath": "/x/",
                            "newGroupName": "admins", "tags": [{"key": "SecurityApproved", "value": "true"}], "tagKeys": ["SecurityApproved"]});
                        assert!(keys(&event(call, everything)).is_empty(), "{call}: {reason}");
                    }
                }
            }
        }
        // As AWS's service authorization reference lists them.
        assert_eq!(known, 112, "a call is missing");
    }
}

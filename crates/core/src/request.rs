//! The part of a request that people may see: of each call that rules know, the parameters that say what was touched.
//!
//! It is a list of what is shown, so that nothing new is: of a call or a parameter that is not on it, only the parameter's name
//! is said. A parameter on the list is still cut where it looks like a secret. Tags are shown by their keys.

use serde_json::{Map, Value, json};

use crate::redact;

/// The field of the shown request that names what is left out.
pub const NOT_SHOWN: &str = "not shown";

/// Calls of a service, and the parameters that may be shown of each. A call may stand in several rows.
struct Row(&'static str, &'static [&'static str], &'static [&'static str]);

const ROWS: &[Row] = &[
    Row("access-analyzer", &["DeleteAnalyzer"], &["analyzerName"]),
    Row("access-analyzer", &["CreateArchiveRule"], &["analyzerName", "ruleName"]),
    Row("access-analyzer", &["CreateAnalyzer"], &["analyzerName", "type"]),
    Row("account", &["AcceptPrimaryEmailUpdate", "GetPrimaryEmail", "StartPrimaryEmailUpdate"], &["accountId"]),
    Row("account", &["DeleteAlternateContact"], &["accountId", "alternateContactType"]),
    Row("account", &["GetAlternateContact", "PutAlternateContact"], &["alternateContactType"]),
    Row("account", &["DisableRegion", "EnableRegion"], &["regionName"]),
    Row("cloudformation", &["CreateStack", "UpdateStack"], &["roleARN", "stackName"]),
    Row("cloudtrail", &["PutEventSelectors"], &["advancedEventSelectors", "eventSelectors", "trailName"]),
    Row("cloudtrail", &["UpdateTrail"], &["enableLogFileValidation", "isMultiRegionTrail", "name", "s3BucketName"]),
    Row("cloudtrail", &["DeleteEventDataStore", "UpdateEventDataStore"], &["eventDataStore"]),
    Row("cloudtrail", &["CreateTrail"], &["isMultiRegionTrail", "name", "s3BucketName"]),
    Row("cloudtrail", &["DeleteTrail", "StartLogging", "StopLogging"], &["name"]),
    Row("cloudtrail", &["GetEventSelectors", "PutInsightSelectors"], &["trailName"]),
    Row("config", &["DeleteConfigRule"], &["configRuleName"]),
    Row("config", &["StartConfigurationRecorder", "StopConfigurationRecorder"], &["configurationRecorderName"]),
    Row("config", &["DeleteDeliveryChannel"], &["deliveryChannelName"]),
    Row("ds", &["CreateTrust"], &["directoryId"]),
    Row("dynamodb", &["UpdateContinuousBackups"], &["pointInTimeRecoverySpecification", "tableName"]),
    Row("dynamodb", &["DeleteTable"], &["tableName"]),
    Row("ec2", &["RunInstances"], &["iamInstanceProfile", "imageId", "instanceType"]),
    Row("ecs", &["UpdateService"], &["cluster", "service", "taskDefinition"]),
    Row("ecs", &["RunTask"], &["cluster", "taskDefinition"]),
    Row("ecs", &["RegisterTaskDefinition"], &["executionRoleArn", "family", "taskRoleArn"]),
    Row("events", &["DisableRule"], &["eventBusName", "name"]),
    Row("events", &["PutRule"], &["eventBusName", "name", "state"]),
    Row("events", &["RemoveTargets"], &["ids", "rule"]),
    Row("events", &["DeleteRule"], &["name"]),
    Row("guardduty", &["DisassociateMembers"], &["accountIds", "detectorId"]),
    Row("guardduty", &["CreateFilter"], &["action", "detectorId", "name"]),
    Row("guardduty", &["CreateIPSet"], &["activate", "detectorId", "format", "name"]),
    Row("guardduty", &["CreateThreatIntelSet"], &["activate", "detectorId", "name"]),
    Row("guardduty", &["DeleteDetector"], &["detectorId"]),
    Row("guardduty", &["UpdateDetector"], &["detectorId", "enable"]),
    Row("iam", &["CreateServiceLinkedRole"], &["aWSServiceName"]),
    Row("iam", &["UpdateAccessKey"], &["accessKeyId", "status", "userName"]),
    Row("iam", &["DeleteAccessKey"], &["accessKeyId", "userName"]),
    Row("iam", &["SimulatePrincipalPolicy"], &["actionNames", "policySourceArn"]),
    Row(
        "iam",
        &["CreateRole"],
        &["assumeRolePolicyDocument", "maxSessionDuration", "path", "permissionsBoundary", "roleName", "tags"],
    ),
    Row("iam", &["UpdateSigningCertificate"], &["certificateId", "status", "userName"]),
    Row(
        "iam",
        &["AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider"],
        &["clientID", "openIDConnectProviderArn"],
    ),
    Row("iam", &["CreateOpenIDConnectProvider"], &["clientIDList", "url"]),
    Row("iam", &["DeleteGroup"], &["groupName"]),
    Row("iam", &["UpdateGroup"], &["groupName", "newGroupName", "newPath"]),
    Row("iam", &["CreateGroup"], &["groupName", "path"]),
    Row("iam", &["AttachGroupPolicy", "DetachGroupPolicy"], &["groupName", "policyArn"]),
    Row("iam", &["PutGroupPolicy"], &["groupName", "policyDocument", "policyName"]),
    Row("iam", &["DeleteGroupPolicy"], &["groupName", "policyName"]),
    Row("iam", &["AddUserToGroup", "RemoveUserFromGroup"], &["groupName", "userName"]),
    Row("iam", &["CreateInstanceProfile", "DeleteInstanceProfile"], &["instanceProfileName"]),
    Row("iam", &["AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"], &["instanceProfileName", "roleName"]),
    Row("iam", &["UntagInstanceProfile"], &["instanceProfileName", "tagKeys"]),
    Row("iam", &["TagInstanceProfile"], &["instanceProfileName", "tags"]),
    Row("iam", &["UpdateRole"], &["maxSessionDuration", "roleName"]),
    Row("iam", &["UpdateAccountPasswordPolicy"], &["minimumPasswordLength", "requireSymbols"]),
    Row("iam", &["CreateSAMLProvider"], &["name"]),
    Row("iam", &["UpdateUser"], &["newPath", "newUserName", "userName"]),
    Row("iam", &["DeleteOpenIDConnectProvider"], &["openIDConnectProviderArn"]),
    Row("iam", &["UpdateOpenIDConnectProviderThumbprint"], &["openIDConnectProviderArn", "thumbprintList"]),
    Row("iam", &["CreateLoginProfile"], &["passwordResetRequired", "userName"]),
    Row("iam", &["CreateUser"], &["path", "permissionsBoundary", "tags", "userName"]),
    Row("iam", &["CreatePolicy"], &["path", "policyDocument", "policyName"]),
    Row("iam", &["CreateVirtualMFADevice"], &["path", "virtualMFADeviceName"]),
    Row("iam", &["PutRolePermissionsBoundary"], &["permissionsBoundary", "roleName"]),
    Row("iam", &["PutUserPermissionsBoundary"], &["permissionsBoundary", "userName"]),
    Row("iam", &["DeletePolicy", "GetPolicy"], &["policyArn"]),
    Row("iam", &["CreatePolicyVersion"], &["policyArn", "policyDocument", "setAsDefault"]),
    Row("iam", &["AttachRolePolicy", "DetachRolePolicy"], &["policyArn", "roleName"]),
    Row("iam", &["UntagPolicy"], &["policyArn", "tagKeys"]),
    Row("iam", &["TagPolicy"], &["policyArn", "tags"]),
    Row("iam", &["AttachUserPolicy", "DetachUserPolicy"], &["policyArn", "userName"]),
    Row("iam", &["DeletePolicyVersion", "GetPolicyVersion", "SetDefaultPolicyVersion"], &["policyArn", "versionId"]),
    Row("iam", &["PutRolePolicy"], &["policyDocument", "policyName", "roleName"]),
    Row("iam", &["PutUserPolicy"], &["policyDocument", "policyName", "userName"]),
    Row("iam", &["UpdateAssumeRolePolicy"], &["policyDocument", "roleName"]),
    Row("iam", &["DeleteRolePolicy"], &["policyName", "roleName"]),
    Row("iam", &["DeleteUserPolicy"], &["policyName", "userName"]),
    Row(
        "iam",
        &["DeleteRole", "DeleteRolePermissionsBoundary", "DeleteServiceLinkedRole", "UpdateRoleDescription"],
        &["roleName"],
    ),
    Row("iam", &["UntagRole"], &["roleName", "tagKeys"]),
    Row("iam", &["TagRole"], &["roleName", "tags"]),
    Row("iam", &["DeleteSAMLProvider", "GetSAMLProvider", "UpdateSAMLProvider"], &["sAMLProviderArn"]),
    Row("iam", &["UpdateSSHPublicKey"], &["sSHPublicKeyId", "status", "userName"]),
    Row("iam", &["DeleteVirtualMFADevice"], &["serialNumber"]),
    Row("iam", &["DeactivateMFADevice", "EnableMFADevice", "ResyncMFADevice"], &["serialNumber", "userName"]),
    Row("iam", &["UploadServerCertificate"], &["serverCertificateName"]),
    Row("iam", &["CreateServiceSpecificCredential"], &["serviceName", "userName"]),
    Row("iam", &["UpdateServiceSpecificCredential"], &["serviceSpecificCredentialId", "status", "userName"]),
    Row(
        "iam",
        &["DeleteServiceSpecificCredential", "ResetServiceSpecificCredential"],
        &["serviceSpecificCredentialId", "userName"],
    ),
    Row("iam", &["UntagUser"], &["tagKeys", "userName"]),
    Row("iam", &["TagUser"], &["tags", "userName"]),
    Row(
        "iam",
        &[
            "CreateAccessKey",
            "DeleteLoginProfile",
            "DeleteUser",
            "DeleteUserPermissionsBoundary",
            "GetUser",
            "UpdateLoginProfile",
            "UploadSSHPublicKey",
            "UploadSigningCertificate",
        ],
        &["userName"],
    ),
    Row("identitystore", &["CreateGroupMembership"], &["groupId", "identityStoreId", "memberId"]),
    Row("identitystore", &["DeleteGroupMembership"], &["identityStoreId", "membershipId"]),
    Row("identitystore", &["CreateUser"], &["identityStoreId", "userName"]),
    Row("kms", &["ScheduleKeyDeletion"], &["keyId"]),
    Row("kms", &["PutKeyPolicy"], &["keyId", "policyName"]),
    Row("lambda", &["DeleteFunction", "UpdateFunctionCode"], &["functionName"]),
    Row("lambda", &["PutFunctionConcurrency"], &["functionName", "reservedConcurrentExecutions"]),
    Row("lambda", &["UpdateFunctionConfiguration"], &["functionName", "role"]),
    Row("lambda", &["CreateFunction"], &["functionName", "role", "runtime"]),
    Row("monitoring", &["DisableAlarmActions"], &["alarmNames"]),
    Row("organizations", &["CloseAccount", "RemoveAccountFromOrganization"], &["accountId"]),
    Row("organizations", &["MoveAccount"], &["accountId", "destinationParentId", "sourceParentId"]),
    Row("organizations", &["RegisterDelegatedAdministrator"], &["accountId", "servicePrincipal"]),
    Row("organizations", &["AcceptHandshake", "DeclineHandshake"], &["handshakeId"]),
    Row("organizations", &["CreatePolicy"], &["name", "type"]),
    Row("organizations", &["UpdatePolicy"], &["policyId"]),
    Row("organizations", &["AttachPolicy", "DetachPolicy"], &["policyId", "targetId"]),
    Row("organizations", &["DisablePolicyType"], &["policyType", "rootId"]),
    Row("organizations", &["DisableAWSServiceAccess"], &["servicePrincipal"]),
    Row("rolesanywhere", &["DisableCrl", "EnableCrl"], &["crlId"]),
    Row("rolesanywhere", &["CreateTrustAnchor", "ImportCrl"], &["enabled", "name"]),
    Row("rolesanywhere", &["CreateProfile"], &["enabled", "name", "roleArns"]),
    Row("rolesanywhere", &["DeleteProfile"], &["profileId"]),
    Row("rolesanywhere", &["DisableTrustAnchor", "EnableTrustAnchor"], &["trustAnchorId"]),
    Row("s3", &["DeleteBucket", "PutBucketPolicy"], &["bucketName"]),
    Row("s3", &["GetObject"], &["bucketName", "key"]),
    Row("secretsmanager", &["DeleteSecret", "GetSecretValue", "PutSecretValue"], &["secretId"]),
    Row("securityhub", &["BatchDisableStandards"], &["StandardsSubscriptionArns"]),
    Row("sns", &["Unsubscribe"], &["subscriptionArn"]),
    Row("sqs", &["PurgeQueue"], &["queueUrl"]),
    Row("ssm", &["SendCommand"], &["documentName", "instanceIds"]),
    Row("sso", &["UpdateSsoConfiguration"], &["configurationType"]),
    Row("sso", &["AttachCustomerManagedPolicyReferenceToPermissionSet"], &["customerManagedPolicyReference", "permissionSetArn"]),
    Row("sso", &["GetMfaDeviceManagementForDirectory", "PutMfaDeviceManagementForDirectory"], &["directoryId"]),
    Row("sso", &["AssociateDirectory"], &["directoryId", "directoryType"]),
    Row("sso", &["PutInlinePolicyToPermissionSet"], &["inlinePolicy", "permissionSetArn"]),
    Row(
        "sso",
        &["AttachManagedPolicyToPermissionSet", "DetachManagedPolicyFromPermissionSet"],
        &["managedPolicyArn", "permissionSetArn"],
    ),
    Row("sso", &["DeletePermissionsBoundaryFromPermissionSet", "PutPermissionsBoundaryToPermissionSet"], &["permissionSetArn"]),
    Row(
        "sso",
        &["CreateAccountAssignment", "DeleteAccountAssignment"],
        &["permissionSetArn", "principalId", "principalType", "targetId", "targetType"],
    ),
    Row("sso", &["UpdatePermissionSet"], &["permissionSetArn", "sessionDuration"]),
    Row("sso-directory", &["CreateUser"], &["active", "identityStoreId"]),
    Row("sso-directory", &["DeleteMfaDeviceForUser"], &["deviceId", "userId"]),
    Row("sso-directory", &["DescribeDirectory", "EnableExternalIdPConfigurationForDirectory"], &["directoryId"]),
    Row("sso-directory", &["AddMemberToGroup"], &["groupId", "identityStoreId"]),
    Row("sso-directory", &["UpdatePassword"], &["passwordMode", "userId"]),
    Row("sso-directory", &["CreateBearerToken"], &["tenantId"]),
    Row("sso-directory", &["CompleteVirtualMfaDeviceRegistration"], &["userId"]),
    Row("states", &["StopExecution"], &["executionArn"]),
    Row("states", &["UpdateStateMachine"], &["stateMachineArn"]),
    Row("sts", &["GetFederationToken"], &["durationSeconds", "name", "policy"]),
    Row("sts", &["AssumeRoleWithSAML"], &["durationSeconds", "principalArn", "roleArn"]),
    Row("sts", &["AssumeRole", "AssumeRoleWithWebIdentity"], &["durationSeconds", "roleArn", "roleSessionName"]),
    Row("sts", &["GetSessionToken"], &["durationSeconds", "serialNumber"]),
    Row("sts", &["AssumeRoot"], &["targetPrincipal", "taskPolicyArn"]),
];

/// The request as people may see it, as JSON; empty where there was none. `service` and `call` as CloudTrail names them.
#[must_use]
pub fn shown(service: &str, call: &str, parameters: &Value) -> String {
    let fields = match parameters {
        Value::Object(fields) => fields,
        Value::Null => return String::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return json!({NOT_SHOWN: ["the whole request"]}).to_string();
        }
    };
    let allowed = allowed(service, call);
    let (mut shown, mut left_out) = (Map::new(), Vec::new());
    for (name, value) in fields {
        if allowed.contains(&name.as_str()) {
            shown.insert(name.clone(), one(name, value));
        } else {
            left_out.push(redact::text(name).into_owned());
        }
    }
    // One object, so that a name beside a value is seen.
    let mut shown = redact::json(&Value::Object(shown));
    if !left_out.is_empty() {
        crate::json::set(&mut shown, NOT_SHOWN, json!(left_out));
    }
    if fields.is_empty() { String::new() } else { shown.to_string() }
}

/// Whether any parameter of a call may be shown.
#[must_use]
pub fn knows(service: &str, call: &str) -> bool {
    !allowed(service, call).is_empty()
}

/// Of tags, the keys alone: their values are anybody's.
fn one(name: &str, value: &Value) -> Value {
    match value {
        Value::Array(tags) if name == "tags" => tags.iter().map(|tag| tag["key"].clone()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => value.clone(),
    }
}

fn allowed(service: &str, call: &str) -> Vec<&'static str> {
    let service = service.strip_suffix(".amazonaws.com").unwrap_or(service);
    let call = without_version(call);
    let rows = ROWS.iter().filter(|Row(of, calls, _)| *of == service && calls.contains(&call));
    rows.flat_map(|Row(_, _, parameters)| *parameters).copied().collect()
}

/// Lambda's calls carry the version of its API: `UpdateFunctionCode20150331v2`.
fn without_version(call: &str) -> &str {
    let is_digit = |c: char| c.is_ascii_digit();
    let unversioned = call.trim_end_matches(is_digit).strip_suffix('v').unwrap_or(call).trim_end_matches(is_digit);
    if call.len() - unversioned.len() >= 8 { unversioned } else { call }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_list_is_shown_and_the_rest_is_named() {
        let check = |service: &str, call: &str, parameters: Value, expected: Value| {
            let text = shown(service, call, &parameters);
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{call}");
        };
        check(
            "iam.amazonaws.com",
            "CreateLoginProfile",
            json!({"userName": "bob", "password": "hunter2", "passwordResetRequired": true}),
            json!({"userName": "bob", "passwordResetRequired": true, "not shown": ["password"]}),
        );
        check(
            "ecs.amazonaws.com",
            "RegisterTaskDefinition",
            json!({"family": "x", "containerDefinitions": [{"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]}),
            json!({"family": "x", "not shown": ["containerDefinitions"]}),
        );
        check("new.amazonaws.com", "Anything", json!({"name": "x"}), json!({"not shown": ["name"]}));
        check(
            "iam.amazonaws.com",
            "TagUser",
            json!({"userName": "b", "tags": [{"key": "k", "value": "v"}]}),
            json!({"userName": "b", "tags": ["k"]}),
        );
        check(
            "lambda.amazonaws.com",
            "UpdateFunctionCode20150331v2",
            json!({"functionName": "f", "zipFile": "x"}),
            json!({"functionName": "f", "not shown": ["zipFile"]}),
        );
        check("iam.amazonaws.com", "CreateUser", json!(["x"]), json!({"not shown": ["the whole request"]}));
        assert_eq!(shown("iam.amazonaws.com", "CreateUser", &Value::Null), "");
        assert_eq!(shown("iam.amazonaws.com", "CreateUser", &json!({})), "");
    }

    #[test]
    fn a_document_is_shown_to_the_letter_but_for_what_looks_like_a_secret_in_it() {
        let document = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
        let text = shown("iam.amazonaws.com", "PutUserPolicy", &json!({"userName": "b", "policyDocument": document}));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["policyDocument"], document);
        let hidden = r#"{"Statement":[{"Condition":{"StringEquals":{"aws:Referer":"xoxb-1-hunter2"}}}]}"#;
        let text = shown("iam.amazonaws.com", "PutUserPolicy", &json!({"policyDocument": hidden}));
        assert!(text.contains("aws:Referer") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_version_is_taken_off_and_other_digits_stay() {
        for (call, expected) in [
            ("CreateFunction20150331", "CreateFunction"),
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("GetObjectV2", "GetObjectV2"),
            ("Approv", "Approv"),
        ] {
            assert_eq!(without_version(call), expected);
        }
    }
}

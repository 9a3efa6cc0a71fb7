use super::*;
use serde_json::json;

fn cordon(record: &Value) -> Value {
    Enriched::new(record).added()["cordon"].clone()
}

fn iam(name: &str, parameters: &Value) -> Value {
    json!({
        "eventName": name, "eventSource": "iam.amazonaws.com", "recipientAccountId": "111111111111",
        "userIdentity": {"type": "IAMUser", "userName": "mallory", "accountId": "111111111111",
            "arn": "arn:aws:iam::111111111111:user/ops/mallory"},
        "requestParameters": parameters})
}

fn attach(user: &str, policy: &str) -> Value {
    iam("AttachUserPolicy", &json!({"userName": user, "policyArn": policy}))
}

fn has(list: &Value, name: &str) -> bool {
    list.as_array().is_some_and(|names| names.iter().any(|found| found == name))
}

const ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

#[test]
fn a_rule_can_ask_who_did_what_to_whom() {
    let added = cordon(&attach("bob", "arn:aws:iam::aws:policy/AdministratorAccess"));
    assert_eq!(added["actor"]["kind"], "iam_user");
    assert_eq!(added["actor"]["principal_arn"], "arn:aws:iam::111111111111:user/ops/mallory");
    assert_eq!(added["subject"], json!({"kind": "user", "name": "bob", "arn": "arn:aws:iam::111111111111:user/bob"}));
    assert_eq!(added["actor_is_subject"], false);
    assert!(has(&added["policy"]["grants"], "admin") && has(&added["policy"]["grants"], "iam-write"));
    assert_eq!(added["failed"], false);
}

#[test]
fn a_policy_that_is_not_known_is_not_called_harmless() {
    let arn = "arn:aws:iam::111111111111:policy/AdministratorAccess";
    let record = attach("bob", arn);
    assert_eq!(cordon(&record)["policy"], json!({ "arn": arn }));
    assert_eq!(policy_to_read(&record), Some(arn));
    let documents = Documents { policies: [(arn.to_owned(), Document::parse_text(ALL).unwrap())].into(), ..Documents::default() };
    assert!(has(&Enriched::with(&record, &documents).added()["cordon"]["policy"]["grants"], "admin"));
    assert_eq!(policy_to_read(&attach("bob", "arn:aws:iam::aws:policy/IAMFullAccess")), None);
    assert_eq!(policy_to_read(&json!({})), None);
}

#[test]
fn a_policy_that_a_permission_set_gets_is_known_by_its_name_too() {
    let set = |arn: &str| {
        json!({"eventName": "AttachManagedPolicyToPermissionSet", "eventSource": "sso.amazonaws.com",
            "requestParameters": {"permissionSetArn": "arn:aws:sso:::permissionSet/ssoins-0/ps-0", "managedPolicyArn": arn}})
    };
    assert!(has(&cordon(&set("arn:aws:iam::aws:policy/AdministratorAccess"))["policy"]["grants"], "admin"));
    assert_eq!(cordon(&set("arn:aws:iam::aws:policy/ReadOnlyAccess"))["policy"]["grants"], json!([]));
}

#[test]
fn a_document_in_the_record_is_analysed() {
    let policy = |name: &str, document: Value| cordon(&iam(name, &json!({"policyDocument": document})))["policy"].clone();
    assert!(has(&policy("PutUserPolicy", json!(ALL))["grants"], "admin"));
    assert!(has(
        &policy(
            "CreatePolicyVersion",
            json!(
                "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22iam%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"
            )
        )["grants"],
        "iam-write"
    ));
    let limited =
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.1"}}}}"#;
    let limited = policy("PutRolePolicy", json!(limited));
    assert_eq!(limited["grants"], json!([]));
    assert!(has(&limited["grants_if"], "admin"));
    assert!(policy("PutUserPolicy", json!("{"))["unreadable"].as_str().is_some_and(|reason| reason.contains("not JSON")));
    let elsewhere = json!({"eventSource": "s3.amazonaws.com", "eventName": "PutX", "requestParameters": {"policyDocument": ALL}});
    assert_eq!(cordon(&elsewhere)["policy"], Value::Null);
}

#[test]
fn a_trust_policy_says_whom_it_lets_in() {
    let check = |principal: Value, condition: Value, trusts: Value, trusted: Value| {
        let document =
            json!({"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}});
        for (name, key) in [("UpdateAssumeRolePolicy", "policyDocument"), ("CreateRole", "assumeRolePolicyDocument")] {
            let policy = cordon(&iam(name, &json!({"roleName": "r", key: document.to_string()})))["policy"].clone();
            assert_eq!((&policy["trusts"], &policy["trusted"], &policy["grants"]), (&trusts, &trusted, &Value::Null), "{name}");
        }
    };
    let other = json!("arn:aws:iam::999999999999:root");
    check(json!({"AWS": other}), json!({}), json!(["outside-account"]), json!([other]));
    check(json!({"AWS": other}), json!({"StringEquals": {"sts:ExternalId": "x"}}), json!(["outside-account-if"]), json!([other]));
    check(json!("*"), json!({}), json!(["anyone"]), json!(["*"]));
    check(
        json!({"AWS": "111111111111", "Service": "ec2.amazonaws.com"}),
        json!({}),
        json!(["own-account", "service"]),
        json!(["111111111111", "ec2.amazonaws.com"]),
    );
}

#[test]
fn changing_oneself_is_seen_whatever_the_spelling() {
    assert_eq!(cordon(&attach("Mallory", "x"))["actor_is_subject"], true);
    assert_eq!(cordon(&attach("mallory2", "x"))["actor_is_subject"], false);
    let key = json!({"eventName": "UpdateAccessKey", "requestParameters": {"accessKeyId": "AKIAEXAMPLE"},
        "userIdentity": {"type": "IAMUser", "userName": "mallory"}});
    assert_eq!(cordon(&key)["actor_is_subject"], true);
}

#[test]
fn a_refused_call_is_failed_and_a_missing_or_null_code_is_not() {
    let check = |record: Value, expected: bool| assert_eq!(cordon(&record)["failed"], expected, "{record}");
    check(json!({}), false);
    check(json!({"errorCode": null}), false);
    check(json!({"errorCode": ""}), false);
    check(json!({"errorCode": "Success"}), false);
    check(json!({"errorCode": "AccessDenied"}), true);
    check(json!({"errorMessage": "Failed authentication"}), true);
    check(json!({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Failure"}}), true);
    check(json!({"eventName": "PasswordUpdated", "responseElements": {"PasswordUpdated": "Failure"}}), true);
    check(json!({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Success"}}), false);
    check(json!({"eventName": "CreateThing", "responseElements": {"name": "Failure"}}), false);
}

#[test]
fn any_json_can_be_enriched() {
    for record in [json!(null), json!("text"), json!([1]), json!({"userIdentity": 1, "requestParameters": "x"})] {
        assert_eq!(cordon(&record)["actor"]["kind"], "unknown", "{record}");
    }
}

#[test]
fn the_tool_is_the_program_without_what_changes_from_call_to_call() {
    let check = |agent: &str, expected: Option<&str>| {
        let record = json!({"userAgent": agent});
        assert_eq!(cordon(&record)["tool"].as_str(), expected, "{agent}");
    };
    check("aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.8 md/command#sts.get-caller-identity", Some("aws-cli"));
    check("Boto3/1.40.45 md/Botocore#1.40.45 ua/2.1 os/linux", Some("Boto3"));
    check("[S3 Browser/10.0.9 (https://s3browser.com)]", Some("S3"));
    check("APN/1.0 HashiCorp/1.0 Terraform/1.13.3 (+https://www.terraform.io)", Some("HashiCorp"));
    check("TruffleHog", Some("TruffleHog"));
    check("AWS Internal", Some("AWS"));
    check("", None);
    check(" / ", None);
    assert_eq!(cordon(&json!({"userAgent": 5}))["tool"], Value::Null);
}

use super::super::{Event, Log, Origin, Trust};
use crate::config::Organization;
use crate::principal::{Actor, ActorKind, Subject};
use serde_json::{Value, json};

fn exposed() -> Value {
    json!({"version": "0", "id": "e-1", "detail-type": "AWS Health Event", "source": "aws.health", "account": "999999999999",
        "time": "2026-02-12T00:38:36Z", "region": "us-east-1", "resources": ["AKIAEXAMPLEKEY000001"],
        "detail": {
            "eventArn": "arn:aws:health:us-east-1::event/RISK/AWS_RISK_CREDENTIALS_EXPOSED/AWS_RISK_CREDENTIALS_EXPOSED-1",
            "service": "RISK", "eventTypeCode": "AWS_RISK_CREDENTIALS_EXPOSED", "eventTypeCategory": "issue",
            "communicationId": "acf0ec86", "statusCode": "open", "eventRegion": "us-east-1",
            "eventMetadata": {"publicKey": "AKIAEXAMPLEKEY000001", "userName": "build", "exposedUrl": "https://example.org/x"},
            "affectedEntities": [{"entityValue": "AKIAEXAMPLEKEY000001"}], "affectedAccount": "111111111111", "page": "1", "totalPages": "1"}})
}

fn finding(holder: Value) -> Value {
    json!({"id": "e-2", "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "account": "111111111111", "region": "us-east-1",
        "time": "2026-02-12T00:38:36Z", "detail": {"schemaVersion": "2.0", "accountId": "111111111111", "id": "b0c1", "region": "us-east-1",
        "type": "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS", "severity": 8,
        "updatedAt": "2026-02-12T00:30:00.000Z", "resource": {"resourceType": "AccessKey", "accessKeyDetails": holder},
        "service": {"eventLastSeen": "2026-02-12T00:29:00.000Z", "action": {"awsApiCallAction": {"remoteIpDetails": {"ipAddressV4": "203.0.113.9"}}}}}})
}

fn opened(resource: &str) -> Value {
    json!({"id": "e-3", "detail-type": "Access Analyzer Finding", "source": "aws.access-analyzer", "account": "111111111111",
        "detail": {"version": "1.0", "id": "f-1", "status": "ACTIVE", "resourceType": "AWS::IAM::Role", "resource": resource,
        "updatedAt": "2026-02-12T00:30:00Z", "accountId": "111111111111", "region": "us-east-1", "principal": {"AWS": "222222222222"},
        "action": ["sts:AssumeRole"], "condition": {}, "isDeleted": false, "isPublic": false}})
}

#[track_caller]
fn read(envelope: &Value) -> Event {
    let organization = Organization::with(Log::Health, "999999999999".parse().unwrap());
    Event::from_envelope(envelope, Trust { relay_source: Some("cordon.sandbox"), organization: Some(&organization) }).unwrap()
}

#[test]
fn a_leaked_key_names_its_user_account_and_key() {
    let event = read(&exposed());
    assert_eq!((event.log, event.origin, event.name.as_str()), (Log::Health, Origin::Aws, "AWS_RISK_CREDENTIALS_EXPOSED"));
    assert_eq!(event.account.unwrap().as_str(), "111111111111", "the affected account, not the one that was told");
    assert_eq!(event.time.unwrap().to_string(), "2026-02-12T00:38:36Z");
    let actor = Actor::from_record(&event.record);
    assert_eq!(actor.access_key_id.as_deref(), Some("AKIAEXAMPLEKEY000001"));
    assert_eq!(actor.principal().unwrap().arn(), "arn:aws:iam::111111111111:user/build");
    assert_eq!(Subject::from_record(&event.record).to_string(), "arn:aws:iam::111111111111:user/build");
    assert_eq!(event.record["eventMetadata"]["exposedUrl"], "https://example.org/x", "the notice's own fields stay");
}

#[test]
fn a_leaked_key_without_its_user_is_about_the_key() {
    let mut envelope = exposed();
    envelope["detail"]["eventMetadata"] = json!({});
    let event = read(&envelope);
    let actor = Actor::from_record(&event.record);
    assert_eq!((actor.principal(), actor.access_key_id.as_deref()), (None, Some("AKIAEXAMPLEKEY000001")));
    assert_eq!(Subject::from_record(&event.record).to_string(), "access key AKIAEXAMPLEKEY000001");
}

#[test]
fn a_role_session_whose_credentials_are_used_elsewhere_resolves_to_its_role() {
    let holder = json!({"accessKeyId": "ASIAEXAMPLEKEY000001", "principalId": "AROAEXAMPLE:i-0abc", "userName": "web", "userType": "AssumedRole"});
    let event = read(&finding(holder));
    let actor = Actor::from_record(&event.record);
    assert_eq!((actor.kind, actor.session.as_deref()), (ActorKind::AssumedRole, Some("i-0abc")));
    assert_eq!(actor.unique_id.as_deref(), Some("AROAEXAMPLE"));
    assert_eq!(actor.principal().unwrap().arn(), "arn:aws:iam::111111111111:role/web");
    assert_eq!(event.record["sourceIPAddress"], "203.0.113.9");
    assert_eq!(Subject::from_record(&event.record).to_string(), "arn:aws:iam::111111111111:role/web");
}

#[test]
fn a_user_root_and_an_unknown_holder_are_told_apart() {
    let user =
        json!({"accessKeyId": "AKIAEXAMPLEKEY000001", "principalId": "AIDAEXAMPLE", "userName": "dana", "userType": "IAMUser"});
    assert_eq!(
        Actor::from_record(&read(&finding(user)).record).principal().unwrap().arn(),
        "arn:aws:iam::111111111111:user/dana"
    );
    let root =
        json!({"accessKeyId": "ASIAEXAMPLEKEY000001", "principalId": "111111111111", "userName": "Root", "userType": "Root"});
    let root = read(&finding(root));
    assert_eq!(Actor::from_record(&root.record).kind, ActorKind::Root);
    assert_eq!(
        (Actor::from_record(&root.record).principal(), Subject::from_record(&root.record).principal().cloned()),
        (None, None)
    );
    assert_eq!(Actor::from_record(&read(&finding(Value::Null)).record).kind, ActorKind::Unknown);
}

#[test]
fn an_open_role_is_the_subject_and_nobody_is_the_actor() {
    let event = read(&opened("arn:aws:iam::111111111111:role/team/web"));
    assert_eq!(Actor::from_record(&event.record).kind, ActorKind::Unknown);
    assert_eq!(Subject::from_record(&event.record).to_string(), "arn:aws:iam::111111111111:role/web");
    assert_eq!(Subject::from_record(&read(&opened("arn:aws:s3:::bucket")).record).to_string(), "account 111111111111");
}

#[test]
fn a_notice_is_known_again_and_a_newer_one_of_the_same_finding_is_not() {
    let mut redelivered = exposed();
    redelivered["id"] = json!("another envelope");
    redelivered["region"] = json!("us-west-2");
    assert_eq!(read(&exposed()).id, read(&redelivered).id);
    let mut elsewhere = exposed();
    elsewhere["detail"]["affectedAccount"] = json!("222222222222");
    assert_ne!(read(&exposed()).id, read(&elsewhere).id);
    let mut seen_again = finding(Value::Null);
    seen_again["detail"]["updatedAt"] = json!("2026-02-12T06:30:00.000Z");
    assert_ne!(read(&finding(Value::Null)).id, read(&seen_again).id);
    let mut nameless = exposed();
    nameless["detail"]["communicationId"] = Value::Null;
    assert_eq!(read(&nameless).id.as_str(), "e-1");
}

#[test]
fn a_notice_is_trusted_from_its_own_service_and_the_named_relay_alone() {
    let origin = |source: &str, relay| {
        let mut envelope = exposed();
        envelope["source"] = json!(source);
        envelope["account"] = json!("111111111111");
        Event::from_envelope(&envelope, relay).unwrap().origin
    };
    assert_eq!(origin("aws.health", None), Origin::Aws);
    assert_eq!(origin("cordon.sandbox", Some("cordon.sandbox")), Origin::TrustedRelay);
    for (source, relay) in
        [("aws.guardduty", None), ("cordon.sandbox", None), ("cordon.drill", Some("cordon.sandbox")), ("aws.healthy", None)]
    {
        assert_eq!(origin(source, relay), Origin::Untrusted, "{source} {relay:?}");
    }
}

#[test]
fn a_notice_that_does_not_say_what_it_is_about_needs_a_person() {
    let check = |mut envelope: Value, field: &str| {
        envelope["detail"][field] = json!(7);
        let unreadable = Event::from_envelope(&envelope, None).unwrap_err();
        assert!(unreadable.reason.contains(&format!("`{field}`")), "{unreadable}");
        assert_eq!(unreadable.account.unwrap().as_str(), "111111111111");
    };
    check(exposed(), "eventTypeCode");
    check(finding(Value::Null), "type");
    check(opened("arn:aws:iam::111111111111:role/web"), "resource");
    check(opened("arn:aws:iam::111111111111:role/web"), "status");
}

#[test]
fn a_notice_cannot_bring_fields_that_say_who_made_a_call() {
    let mut envelope = exposed();
    envelope["detail"]["userIdentity"] = json!({"type": "Root", "arn": "arn:aws:iam::111111111111:root"});
    envelope["detail"]["errorCode"] = json!("AccessDenied");
    let event = read(&envelope);
    assert_eq!(Actor::from_record(&event.record).kind, ActorKind::IamUser);
    assert_eq!((event.error_code, event.record.get("errorCode")), (None, None));
}

#[test]
fn attack_spoke_an_arn_of_another_account_in_a_notice_names_nobody_of_the_account_that_it_is_about() {
    let subject = |event: &Event| Subject::from_record(&event.record);
    let opened = read(&opened("arn:aws:iam::222222222222:role/web"));
    assert_eq!(subject(&opened).to_string(), "account 111111111111");
    let mut leaked = exposed();
    leaked["detail"]["eventMetadata"] = json!({});
    leaked["detail"]["affectedEntities"] = json!([{"entityValue": "arn:aws:iam::222222222222:user/build"}]);
    let leaked = read(&leaked);
    assert_eq!((Actor::from_record(&leaked.record).principal(), subject(&leaked).principal().cloned()), (None, None));
}

#[test]
fn the_account_of_a_notice_is_in_the_one_field_by_which_it_is_believed() {
    let mut finding = finding(Value::Null);
    finding["detail"]["affectedAccount"] = json!("222222222222");
    assert_eq!(read(&finding).account.unwrap().as_str(), "111111111111");
}
